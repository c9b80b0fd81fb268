/** From what a chain did to the account that goes into a call's events. Pure. */
import type { EngineAttempt, EngineUse, ExternalProcessor } from '../contracts/index.ts';
import type { Attempt } from './chain.ts';
import { costOfSpeech, type SpeechPrice } from './cost.ts';

/** The engines that were asked before the one that did it. */
export function attemptsBefore(attempts: readonly Attempt[]): { readonly before?: readonly EngineAttempt[] } {
  const before = attempts.flatMap(({ engine, outcome, tookMs }) =>
    outcome === 'answered' ? [] : [{ engine, outcome, tookMs: Math.round(tookMs) }],
  );
  return before.length === 0 ? {} : { before };
}

export interface SpeechWork {
  readonly engine: string;
  readonly attempts: readonly Attempt[];
  readonly tookMs: number;
  readonly firstMs?: number;
  readonly audioMs?: number;
  readonly characters?: number;
  readonly external: ExternalProcessor | null;
  readonly price: SpeechPrice | undefined;
}

export function speechUse({ engine, attempts, external, price, ...work }: SpeechWork): EngineUse {
  const { tookMs, firstMs, audioMs, characters } = work;
  const waitedMs = attempts.find(({ outcome }) => outcome === 'answered')?.waitedMs ?? 0;
  return {
    engine,
    tookMs: Math.round(tookMs),
    ...(firstMs === undefined ? {} : { firstMs: Math.round(firstMs) }),
    ...(waitedMs < 0.5 ? {} : { waitedMs: Math.round(waitedMs) }),
    ...(audioMs === undefined ? {} : { audioMs: Math.round(audioMs) }),
    ...(characters === undefined ? {} : { characters }),
    ...(price === undefined ? {} : { cost: costOfSpeech(work, price) }),
    ...(external === null ? {} : { external }),
    ...attemptsBefore(attempts),
  };
}
