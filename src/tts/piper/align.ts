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

/** For each index of `from`, and one past it, the index of `to` that stands against it, or the next one. */
function alignment(from: readonly string[], to: readonly string[]): Int32Array {
  const width = to.length + 1;
  const cost = new Int32Array((from.length + 1) * width);
  for (let column = 0; column < width; column++) cost[column] = column * GAP;
  for (let row = 1; row <= from.length; row++) {
    cost[row * width] = row * GAP;
    for (let column = 1; column < width; column++) {
      const both = (cost[(row - 1) * width + column - 1] ?? 0) + different(from[row - 1] ?? '', to[column - 1] ?? '');
      const drop = (cost[(row - 1) * width + column] ?? 0) + GAP;
      const add = (cost[row * width + column - 1] ?? 0) + GAP;
      cost[row * width + column] = Math.min(both, drop, add);
    }
  }
  const match = new Int32Array(from.length + 1).fill(to.length);
  let [row, column] = [from.length, to.length];
  while (row > 0) {
    const here = cost[row * width + column] ?? 0;
    if (column > 0 && here === (cost[(row - 1) * width + column - 1] ?? 0) + different(from[row - 1] ?? '', to[column - 1] ?? '')) {
      row--;
      column--;
    } else if (here === (cost[(row - 1) * width + column] ?? 0) + GAP) row--;
    else column--;
    match[row] = Math.min(column, match[row] ?? column);
  }
  return match;
}
