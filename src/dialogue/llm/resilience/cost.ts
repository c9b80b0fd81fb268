/** What an answer cost, by the price list of the configuration. */
import type { TokenUsage } from '../../../contracts/index.ts';

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

export interface Cost {
  readonly amount: number;
  readonly currency: string;
}

export function costOf(usage: TokenUsage | null, tookMs: number, price: TokenPrice): Cost {
  const { promptTokens = 0, completionTokens = 0, cachedTokens = 0 } = usage ?? {};
  const cached = Math.min(cachedTokens ?? 0, promptTokens);
  const tokens =
    (promptTokens - cached) * price.promptPerMillion +
    cached * (price.cachedPerMillion ?? price.promptPerMillion) +
    completionTokens * price.completionPerMillion;
  return { amount: tokens / 1e6 + ((price.perHour ?? 0) * tookMs) / 3_600_000, currency: price.currency };
}
