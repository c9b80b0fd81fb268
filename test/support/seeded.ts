/** Draws that are the same for the same seed (xorshift32). */
export interface Random {
  next(): number;
  chance(share: number): boolean;
  pick<T>(of: readonly T[]): T;
  digits(count: number): string;
}

export function seeded(seed: number): Random {
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
  return {
    next,
    chance: (share) => next() < share,
    pick: <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)] as T,
    digits: (count) => Array.from({ length: count }, () => String(Math.floor(next() * 10))).join(''),
  };
}
