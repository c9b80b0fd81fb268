/**
 * The capacity governor: may one more call come, and how good can it be? `govern(state, event) -> [state, decision]`, pure; the time is in
 * the events. It looks at what callers wait for, not at processor load: the p95 of recent waits against two limits each (of few waits the third-longest). Above the first,
 * new calls are served in a cheaper way; above the second they go to people, before the calls that are open suffer.
 *
 * Worse takes effect at once. Better takes effect when every wait has been under `recoverShare` of the limit for `holdMs`; an
 * engine that is back serves at once. For equal times of
 * events, higher waits never lead to a milder decision.
 */

/** What is measured, in milliseconds, as it happens. */
export type Wait = 'sttQueue' | 'llmFirstToken' | 'ttsFirstAudio' | 'loopLag';
/**
 * smaller-model: the thrifty link of the language-model chain first. shorter-replies: one sentence. recorded-prompts: what the phrase cache
 * does not have is spoken by the thrifty link of the chain. no-speculation: no reply is made ahead of the commit.
 */
export type Saving = 'smaller-model' | 'shorter-replies' | 'recorded-prompts' | 'no-speculation';

export interface Limits {
  readonly degradeMs: number;
  readonly peopleMs: number;
}

export interface GovernorPolicy {
  readonly limits: Readonly<Record<Wait, Limits>>;
  /** What to save on when this wait is too long. */
  readonly savings: Readonly<Record<Wait, readonly Saving[]>>;
  /** Calls at once: from so many on, new ones are degraded or sent to people. */
  readonly calls: { readonly degrade: number; readonly people: number };
  /** Older waits do not count. */
  readonly windowMs: number;
  /** Fewer waits than this in the window say nothing. */
  readonly leastSamples: number;
  readonly holdMs: number;
  /** 0 to 1: of a limit; under it there is room again. */
  readonly recoverShare: number;
}

export const GOVERNOR_POLICY: GovernorPolicy = {
  limits: {
    sttQueue: { degradeMs: 150, peopleMs: 600 },
    llmFirstToken: { degradeMs: 600, peopleMs: 2000 },
    ttsFirstAudio: { degradeMs: 250, peopleMs: 1000 },
    loopLag: { degradeMs: 60, peopleMs: 250 },
  },
  savings: {
    sttQueue: ['no-speculation', 'shorter-replies'],
    llmFirstToken: ['smaller-model', 'no-speculation', 'shorter-replies'],
    ttsFirstAudio: ['recorded-prompts', 'no-speculation', 'shorter-replies'],
    loopLag: ['recorded-prompts', 'no-speculation', 'shorter-replies'],
  },
  calls: { degrade: 80, people: 100 },
  windowMs: 15_000,
  leastSamples: 3,
  holdMs: 20_000,
  recoverShare: 0.7,
};

export type GovernorEvent =
  | { readonly t: 'waited'; readonly atMs: number; readonly wait: Wait; readonly ms: number }
  /** Calls that are open now. */
  | { readonly t: 'calls'; readonly atMs: number; readonly open: number }
  /** An engine without which no call can be served has died or is back. */
  | { readonly t: 'engine'; readonly atMs: number; readonly engine: string; readonly up: boolean }
  /** Just look: before a call is answered, and from time to time. */
  | { readonly t: 'look'; readonly atMs: number };

export type Action = 'admit' | 'degrade' | 'people';

export type Reason =
  | { readonly why: 'wait'; readonly wait: Wait; readonly p95Ms: number; readonly limitMs: number; readonly action: Action }
  | { readonly why: 'calls'; readonly open: number; readonly limit: number; readonly action: Action }
  | { readonly why: 'engine-down'; readonly engine: string; readonly action: 'people' };

export interface Decision {
  /** For the next new call. */
  readonly action: Action;
  readonly savings: readonly Saving[];
  /** Not the decision before: to be logged. */
  readonly changed: boolean;
  /** What made it so; while `held`, what made it so when it was last the case. */
  readonly reasons: readonly Reason[];
  /** The cause is gone, the hold time is not over. */
  readonly held: boolean;
}

interface Sample {
  readonly atMs: number;
  readonly ms: number;
}

export interface GovernorState {
  readonly policy: GovernorPolicy;
  readonly nowMs: number;
  readonly samples: Readonly<Record<Wait, readonly Sample[]>>;
  readonly open: number;
  readonly down: readonly string[];
  readonly level: number;
  /** When level 1 and level 2 were last not yet recovered from; index is the level. */
  readonly seenMs: readonly [number, number, number];
  readonly reasons: readonly Reason[];
}

const ACTIONS = ['admit', 'degrade', 'people'] as const satisfies readonly Action[];
const WAITS = ['sttQueue', 'llmFirstToken', 'ttsFirstAudio', 'loopLag'] as const satisfies readonly Wait[];
/** A p95 of more says no more. */
const MOST_SAMPLES = 64;

/** Errors: RangeError for a policy that could not work. */
export function newGovernor(policy: GovernorPolicy = GOVERNOR_POLICY): GovernorState {
  const rising = ({ degradeMs, peopleMs }: Limits): boolean => degradeMs > 0 && peopleMs >= degradeMs;
  if (!WAITS.every((wait) => rising(policy.limits[wait])) || policy.calls.people < policy.calls.degrade)
    throw new RangeError('a limit for people is lower than the one for degrading');
  if (!(policy.recoverShare > 0 && policy.recoverShare <= 1) || !(policy.holdMs >= 0) || !(policy.windowMs > 0))
    throw new RangeError('recoverShare is above 0 and at most 1, holdMs and windowMs are times');
  const samples = { sttQueue: [], llmFirstToken: [], ttsFirstAudio: [], loopLag: [] };
  return { policy, nowMs: -Infinity, samples, open: 0, down: [], level: 0, seenMs: [-Infinity, -Infinity, -Infinity], reasons: [] };
}

export function govern(before: GovernorState, event: GovernorEvent): readonly [GovernorState, Decision] {
  const noted = note(before, event);
  const { policy, nowMs } = noted;
  const reasons = reasonsOf(noted, 1);
  const now = levelOf(reasons);
  // An engine that is back is back: only waits and calls swing, and are held.
  const notRecovered = levelOf(reasonsOf(noted, policy.recoverShare).filter(({ why }) => why !== 'engine-down'));
  const seenMs = [nowMs, ...[1, 2].map((level) => (notRecovered >= level ? nowMs : (noted.seenMs[level] ?? -Infinity)))] as [
    number,
    number,
    number,
  ];
  let kept = noted.level;
  while (kept > now && notRecovered < kept && nowMs - (seenMs[kept] ?? -Infinity) >= policy.holdMs) kept--;
  const level = Math.max(now, kept);
  const held = level > now;
  const why = level === 0 ? [] : held ? noted.reasons : reasons;
  const state = { ...noted, level, seenMs, reasons: why };
  const savings = new Set(why.flatMap((reason) => (reason.why === 'wait' ? policy.savings[reason.wait] : ['shorter-replies' as const])));
  return [
    state,
    {
      action: ACTIONS[level] ?? 'people',
      savings: level === 1 ? [...savings].sort() : [],
      changed: level !== before.level,
      reasons: why,
      held,
    },
  ];
}

/** Takes the event in. A clock that goes back stands still. */
function note(state: GovernorState, event: GovernorEvent): GovernorState {
  const nowMs = Math.max(state.nowMs, event.atMs);
  const fresh = (list: readonly Sample[]): readonly Sample[] =>
    list.filter(({ atMs }) => nowMs - atMs <= state.policy.windowMs).slice(-MOST_SAMPLES);
  const samples = { ...state.samples };
  for (const wait of WAITS) {
    const more = event.t === 'waited' && event.wait === wait ? [{ atMs: nowMs, ms: Math.max(0, event.ms) }] : [];
    samples[wait] = fresh([...samples[wait], ...more]);
  }
  const noted = { ...state, nowMs, samples };
  if (event.t === 'calls') return { ...noted, open: Math.max(0, event.open) };
  if (event.t !== 'engine') return noted;
  const others = state.down.filter((engine) => engine !== event.engine);
  return { ...noted, down: event.up ? others : [...others, event.engine] };
}

/** Everything that is above `share` of a limit now. */
function reasonsOf({ policy, samples, open, down }: GovernorState, share: number): Reason[] {
  const reasons: Reason[] = down.map((engine) => ({ why: 'engine-down', engine, action: 'people' }));
  for (const limit of [policy.calls.people, policy.calls.degrade]) {
    if (open < limit * share) continue;
    reasons.push({ why: 'calls', open, limit, action: limit === policy.calls.people ? 'people' : 'degrade' });
    break;
  }
  for (const wait of WAITS) {
    if (samples[wait].length < policy.leastSamples) continue;
    const p95Ms = percentile95(samples[wait], policy.leastSamples);
    const { degradeMs, peopleMs } = policy.limits[wait];
    if (p95Ms >= peopleMs * share) reasons.push({ why: 'wait', wait, p95Ms, limitMs: peopleMs, action: 'people' });
    else if (p95Ms >= degradeMs * share) reasons.push({ why: 'wait', wait, p95Ms, limitMs: degradeMs, action: 'degrade' });
  }
  return reasons;
}

function levelOf(reasons: readonly Reason[]): number {
  return reasons.reduce((most, { action }) => Math.max(most, ACTIONS.indexOf(action)), 0);
}

/** Nearest rank; of few waits the `least`-longest: one that is late for a reason of its own turns nobody away. */
function percentile95(samples: readonly Sample[], least: number): number {
  const sorted = samples.map(({ ms }) => ms).sort((a, b) => a - b);
  const longer = Math.max(least, sorted.length - Math.ceil(0.95 * sorted.length) + 1);
  return sorted[Math.max(0, sorted.length - longer)] ?? 0;
}
