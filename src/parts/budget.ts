/**
 * What is left of the operator's budget today, for the routers of flows: what the log in Postgres says was spent, asked now and then, and
 * what this gateway has spent since. While Postgres is away only the latter grows.
 */
import type { CallRunner, LiveEvent } from '../call/index.ts';
import type { Config } from '../config/index.ts';
import type { Clock, Logger } from '../contracts/index.ts';
import { feesIn, type Store } from '../store/index.ts';

export interface BudgetPorts {
  readonly limits: { readonly perDay: number | null; readonly perMonth: number | null };
  /** Fees in a span of the wall clock, microseconds. */
  readonly spentIn: (span: { fromUs: number; toUs: number }) => Promise<number>;
  readonly clock: Pick<Clock, 'wallUs'>;
  readonly logger: Logger;
}

/** What Postgres does not have yet after so long is counted twice at worst. */
const SETTLED_US = 60_000_000;
const BUCKET_US = 10_000_000;

export class Budget {
  readonly #ports: BudgetPorts;
  /** Fees of this gateway by the ten seconds in which they fell, from `#known.toUs` on. */
  readonly #own = new Map<number, number>();
  #known: {
    readonly day: number;
    readonly month: number;
    readonly fromDayUs: number;
    readonly fromMonthUs: number;
    readonly toUs: number;
  } | null = null;

  constructor(ports: BudgetPorts) {
    this.#ports = ports;
  }

  /** Null without a bound. */
  left(): number | null {
    const { limits, clock } = this.#ports;
    const { dayUs, monthUs } = startsOf(clock.wallUs());
    const known = this.#known;
    const today = this.#since(dayUs) + (known?.fromDayUs === dayUs ? known.day : 0);
    const month = this.#since(monthUs) + (known?.fromMonthUs === monthUs ? known.month : 0);
    const lefts = [
      ...(limits.perDay === null ? [] : [limits.perDay - today]),
      ...(limits.perMonth === null ? [] : [limits.perMonth - month]),
    ];
    return lefts.length === 0 ? null : Math.max(0, Math.min(...lefts));
  }

  /** An event of this gateway, as it happens. */
  note({ atUs, event }: LiveEvent): void {
    const fee = feeOf(event);
    if (fee <= 0) return;
    const bucket = Math.floor(atUs / BUCKET_US) * BUCKET_US;
    this.#own.set(bucket, (this.#own.get(bucket) ?? 0) + fee);
  }

  /** Asks the log. What it cannot say leaves what was known. Never rejects. */
  async refresh(): Promise<void> {
    const { spentIn, clock, logger, limits } = this.#ports;
    if (limits.perDay === null && limits.perMonth === null) return;
    const nowUs = clock.wallUs();
    const { dayUs, monthUs } = startsOf(nowUs);
    const toUs = Math.floor((nowUs - SETTLED_US) / BUCKET_US) * BUCKET_US;
    try {
      const day = toUs <= dayUs ? 0 : await spentIn({ fromUs: dayUs, toUs });
      const month = limits.perMonth === null || toUs <= monthUs ? 0 : await spentIn({ fromUs: monthUs, toUs });
      this.#known = { day, month, fromDayUs: dayUs, fromMonthUs: monthUs, toUs };
      for (const bucket of this.#own.keys()) if (bucket < toUs) this.#own.delete(bucket);
    } catch {
      logger.warn('what calls have cost is not known; only what this gateway spends from here on counts against the budget');
    }
  }

  #since(fromUs: number): number {
    let sum = 0;
    for (const [atUs, fee] of this.#own) if (atUs + BUCKET_US > fromUs) sum += fee;
    return sum;
  }
}

const REFRESH_MS = 600_000;

/** Null where the configuration has no bound. */
export function createBudget({ budget }: Config, store: Pick<Store, 'use'>, ports: Pick<BudgetPorts, 'clock' | 'logger'>): Budget | null {
  if (budget.perDay === null && budget.perMonth === null) return null;
  return new Budget({ ...ports, limits: budget, spentIn: (span) => store.use((client) => feesIn(client, span)) });
}

/** Goes on until the returned function is called. */
export function keepBudget(budget: Budget | null, runner: Pick<CallRunner, 'watch'>): () => void {
  if (budget === null) return () => undefined;
  const stopWatching = runner.watch((event) => budget.note(event));
  const again = setInterval(() => void budget.refresh(), REFRESH_MS);
  void budget.refresh();
  return () => {
    clearInterval(again);
    stopWatching();
  };
}

/** Midnight and the first of the month where this machine is. */
function startsOf(wallUs: number): { dayUs: number; monthUs: number } {
  const at = new Date(wallUs / 1000);
  const dayUs = new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime() * 1000;
  return { dayUs, monthUs: new Date(at.getFullYear(), at.getMonth(), 1).getTime() * 1000 };
}

function feeOf(event: LiveEvent['event']): number {
  switch (event.type) {
    case 'tool.answered':
      return event.body.cost;
    case 'engine.used':
      return event.body.use.cost?.amount ?? 0;
    case 'caller.said':
    case 'agent.said':
    case 'notice.completed':
      return (event.body.engines ?? []).reduce((sum, { cost }) => sum + (cost?.amount ?? 0), 0);
    default:
      return 0;
  }
}
