/**
 * Random numbers of the benches: xorshift64, one stream for each (seed, call, purpose), so that no figure depends on the order in which
 * calls happen to run. State s = (seed x 0x9E3779B97F4A7C15 + 1) mod 2^64; s ^= s<<13; s ^= s>>7; s ^= s<<17; U = (s >> 11) / 2^53.
 */
const MASK = (1n << 64n) - 1n;

export class Draws {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = (seed * 0x9e3779b97f4a7c15n + 1n) & MASK;
    // xorshift stays at zero for ever; one seed in 2^64 would start there.
    if (this.#state === 0n) this.#state = 1n;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    let s = this.#state;
    s = (s ^ (s << 13n)) & MASK;
    s ^= s >> 7n;
    s = (s ^ (s << 17n)) & MASK;
    this.#state = s;
    return Number(s >> 11n) / 2 ** 53;
  }

  /** Exponential with this mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.uniform());
  }

  /** Standard normal, Box-Muller; U1 is drawn first. */
  normal(): number {
    const u1 = this.uniform();
    const u2 = this.uniform();
    return Math.sqrt(-2 * Math.log(1 - u1)) * Math.cos(6.283185307 * u2);
  }

  /** Log-normal from its median and its 95th percentile, both in ms. Equal ones: constant. */
  serviceMs({ p50, p95 }: ServiceTime): number {
    const z = this.normal();
    return p95 <= p50 ? p50 : p50 * Math.exp((z * Math.log(p95 / p50)) / 1.645);
  }
}

export interface ServiceTime {
  readonly p50: number;
  readonly p95: number;
}

/** FNV-1a, 64 bits, over `seed|call|purpose`. */
export function streamSeed(seed: number, call: string, purpose: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(`${seed}|${call}|${purpose}`)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & MASK;
  return hash;
}

export interface Profile {
  readonly sttTail: ServiceTime;
  readonly llmFirst: ServiceTime;
  /** First clause: 7 tokens. */
  readonly llmClause: ServiceTime;
  readonly ttsFirst: ServiceTime;
}

export const CLAUSE_TOKENS = 7;

/** Published service times of engine classes, ms: A = 24 GB class GPU, tuned; B = the same, plain; C = small GPU; D = a vendor's engines-only claim. */
export const PROFILES: Readonly<Record<string, Profile>> = {
  A: { sttTail: { p50: 45, p95: 80 }, llmFirst: { p50: 16, p95: 60 }, llmClause: { p50: 60, p95: 110 }, ttsFirst: { p50: 30, p95: 70 } },
  B: {
    sttTail: { p50: 90, p95: 140 },
    llmFirst: { p50: 89, p95: 180 },
    llmClause: { p50: 110, p95: 180 },
    ttsFirst: { p50: 65, p95: 110 },
  },
  C: {
    sttTail: { p50: 90, p95: 170 },
    llmFirst: { p50: 120, p95: 260 },
    llmClause: { p50: 150, p95: 260 },
    ttsFirst: { p50: 65, p95: 110 },
  },
  D: { sttTail: { p50: 148, p95: 210 }, llmFirst: { p50: 96, p95: 180 }, llmClause: { p50: 1, p95: 1 }, ttsFirst: { p50: 117, p95: 180 } },
  /** No engine time at all: for tests of the protocol and for what a client costs. */
  none: { sttTail: { p50: 0, p95: 0 }, llmFirst: { p50: 0, p95: 0 }, llmClause: { p50: 0, p95: 0 }, ttsFirst: { p50: 0, p95: 0 } },
};
