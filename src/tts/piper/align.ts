/**
 * Which phoneme of a clause does each word begin with? espeak-ng speaks a clause as a whole ("of the" becomes one sound, "2026"
 * four words), so words are found by aligning the clause with its words spoken one by one (Needleman and Wunsch, 1970). Pure.
 */

/** `clause` and each of `words` are phonemes, spaces included. Returns the index into `clause` where each word begins; never decreasing. */
export function wordStarts(clause: readonly string[], words: readonly (readonly string[])[]): number[] {
  const spoken: string[] = [];
  const first: number[] = [];
  words.forEach((word, index) => {
    if (index > 0) spoken.push(' ');
    first.push(spoken.length);
    spoken.push(...word);
  });
  const match = alignment(spoken, clause);
  let least = 0;
  return first.map((from) => {
    least = Math.max(least, Math.min(clause.length - 1, match[from] ?? clause.length - 1));
    return Math.max(0, least);
  });
}

const GAP = 1;
/** A space against a sound costs more: words keep to their borders. */
const different = (a: string, b: string): number => (a === b ? 0 : a === ' ' || b === ' ' ? 3 : 1);

/** Costs of aligning the first `row` of `from` with the first `column` of `to`, row after row. */
function costsOf(from: readonly string[], to: readonly string[]): Int32Array {
  const width = to.length + 1;
  const cost = new Int32Array((from.length + 1) * width);
  for (let column = 0; column < width; column++) cost[column] = column * GAP;
  for (let row = 1; row <= from.length; row++) {
    cost[row * width] = row * GAP;
    for (let column = 1; column < width; column++) {
      const at = row * width + column;
      const both = costAt(cost, at - width - 1) + different(from[row - 1] ?? '', to[column - 1] ?? '');
      cost[at] = Math.min(both, costAt(cost, at - width) + GAP, costAt(cost, at - 1) + GAP);
    }
  }
  return cost;
}

const costAt = (costs: Int32Array, index: number): number => costs[index] ?? 0;

/** For each index of `from`, and one past it, the index of `to` that stands against it, or the next one. */
function alignment(from: readonly string[], to: readonly string[]): Int32Array {
  const width = to.length + 1;
  const cost = costsOf(from, to);
  const match = new Int32Array(from.length + 1).fill(to.length);
  let [row, column] = [from.length, to.length];
  while (row > 0) {
    const at = row * width + column;
    const both = column > 0 && costAt(cost, at) === costAt(cost, at - width - 1) + different(from[row - 1] ?? '', to[column - 1] ?? '');
    const drop = costAt(cost, at) === costAt(cost, at - width) + GAP;
    if (both || drop) row--;
    if (both || !drop) column--;
    match[row] = Math.min(column, match[row] ?? column);
  }
  return match;
}
