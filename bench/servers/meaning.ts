/**
 * Stands in for an embedding model: each word falls into a few of 384 dimensions by its hash, and words of one meaning into the same ones.
 * What is proved and timed with it is the way to an answer, not a model's understanding.
 */
const DIMENSIONS = 384;
const PER_WORD = 4;

/** Words of one meaning; besides, WORD and WORDsyn mean the same. */
const MEANINGS: readonly (readonly string[])[] = [
  ['refund', 'reimburse', 'repay', 'repaid'],
  ['car', 'vehicle', 'automobile'],
  ['dog', 'hound', 'puppy'],
  ['price', 'cost', 'costs', 'charge'],
];
const FIRST = new Map(MEANINGS.flatMap(([first = '', ...others]) => [first, ...others].map((word) => [word, first] as const)));
const COMMON = new Set(
  'a an and are by can do for from have i in is it me my of on please tell the to we what with you your about'.split(' '),
);

/** A unit vector; zero-length texts point along the first axis. */
export function meaningOf(text: string): readonly number[] {
  const vector = new Array<number>(DIMENSIONS).fill(0);
  for (const raw of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    if (COMMON.has(raw)) continue;
    const word = raw.endsWith('syn') ? raw.slice(0, -3) : (FIRST.get(raw) ?? raw);
    let hash = 2166136261;
    for (const char of word) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619);
    for (let at = 0; at < PER_WORD; at++) {
      hash = Math.imul(hash ^ (hash >>> 15), 2246822519);
      const place = (hash >>> 0) % DIMENSIONS;
      vector[place] = (vector[place] ?? 0) + ((hash & 0x10000) === 0 ? 1 : -1);
    }
  }
  const length = Math.hypot(...vector);
  if (length === 0) return vector.map((_, at) => (at === 0 ? 1 : 0));
  return vector.map((part) => Number((part / length).toFixed(6)));
}
