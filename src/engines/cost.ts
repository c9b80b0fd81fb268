/** What a piece of work cost, by the price list of the configuration. */
import type { EngineCost, TokenUsage } from '../contracts/index.ts';

export interface TokenPrice {
  /** ISO 4217. */
  readonly currency: string;
  readonly promptPerMillion: number;
  readonly completionPerMillion: number;
  /** For prompt tokens that were found warm; the price of others when absent. */
  readonly cachedPerMillion?: number;
  /** For engines that are paid by time, a rented GPU for example. */
  readonly perHour?: number;
}

export interface SpeechPrice {
  /** ISO 4217. */
  readonly currency: string;
  /** Of audio, heard or made. */
  readonly perAudioMinute?: number;
  readonly perMillionCharacters?: number;
  /** For engines that are paid by time. */
  readonly perHour?: number;
}

export function costOf(usage: TokenUsage | null, tookMs: number, price: TokenPrice): EngineCost {
  const { promptTokens = 0, completionTokens = 0, cachedTokens = 0 } = usage ?? {};
  const cached = Math.min(cachedTokens ?? 0, promptTokens);
  const tokens =
    (promptTokens - cached) * price.promptPerMillion +
    cached * (price.cachedPerMillion ?? price.promptPerMillion) +
    completionTokens * price.completionPerMillion;
  return { amount: tokens / 1e6 + ((price.perHour ?? 0) * tookMs) / 3_600_000, currency: price.currency };
}

export function costOfSpeech(
  work: { readonly audioMs?: number; readonly characters?: number; readonly tookMs: number },
  { currency, perAudioMinute = 0, perMillionCharacters = 0, perHour = 0 }: SpeechPrice,
): EngineCost {
  const { audioMs = 0, characters = 0, tookMs } = work;
  const amount = (audioMs * perAudioMinute) / 60_000 + (characters * perMillionCharacters) / 1e6 + (tookMs * perHour) / 3_600_000;
  return { amount, currency };
}
