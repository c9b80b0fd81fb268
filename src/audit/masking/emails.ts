/** E-mail addresses, written ("anna@example.com") and as they are said ("anna dot miller at example dot com"). */

interface Span {
  readonly from: number;
  readonly to: number;
}

const WRITTEN = /[\p{L}\d._%+-]{1,64}\s?@\s?[\p{L}\d-]{1,63}(?:\.[\p{L}\d-]{1,63}){1,5}/gu;

const AT = new Set(['at', 'ät', 'arobase', 'arrobase', 'arroba', 'klammeraffe', 'chez', 'affenschwanz']);
const DOT = new Set(['dot', 'punkt', 'point', 'punto', '.']);
const JOINT = new Set([...DOT, 'underscore', 'unterstrich', 'minus', 'dash', 'hyphen', 'bindestrich', 'tiret', 'guion', 'guión', '-', '_']);
const WORD = /[\p{L}\d]+|[.@_-]/gu;
/** Letters and digits spelled one by one, at most. */
const MOST_SPELLED = 40;

interface Word extends Span {
  readonly text: string;
}

export function emailSpans(text: string): Span[] {
  const written = [...text.matchAll(WRITTEN)].map((match) => ({ from: match.index, to: match.index + match[0].length }));
  return [...written, ...spokenSpans(text)];
}

function spokenSpans(text: string): Span[] {
  const words = [...text.matchAll(WORD)].map((match): Word => ({
    text: match[0].toLowerCase(),
    from: match.index,
    to: match.index + match[0].length,
  }));
  const found: Span[] = [];
  words.forEach((word, at) => {
    if (!AT.has(word.text) && word.text !== '@') return;
    const to = hostEnd(words, at + 1);
    const from = to === null ? null : localStart(words, at - 1);
    if (to === null || from === null) return;
    found.push({ from: words[from]?.from ?? word.from, to: words[to]?.to ?? word.to });
  });
  return found;
}

/** The last word of "example dot co dot uk" that begins at `at`; null when there is no dot in it. */
function hostEnd(words: readonly Word[], at: number): number | null {
  let end: number | null = null;
  let next = spelled(words, at, 1);
  while (DOT.has(words[next + 1]?.text ?? '') && isName(words[next + 2])) {
    end = next + 2;
    next = spelled(words, end, 1);
  }
  return end;
}

/** The first word of "anna dot miller" that ends at `at`. */
function localStart(words: readonly Word[], at: number): number | null {
  if (!isName(words[at])) return null;
  let start = spelled(words, at, -1);
  while (JOINT.has(words[start - 1]?.text ?? '') && isName(words[start - 2])) start = spelled(words, start - 2, -1);
  return start;
}

/** Over single letters and digits on to the last of them; a longer word is alone. */
function spelled(words: readonly Word[], at: number, step: 1 | -1): number {
  let end = at;
  for (let i = 0; i < MOST_SPELLED && isSingle(words[end]) && isSingle(words[end + step]); i++) end += step;
  return end;
}

const isSingle = (word: Word | undefined): boolean => word !== undefined && /^[\p{L}\d]$/u.test(word.text);
const isName = (word: Word | undefined): boolean => word !== undefined && /^[\p{L}\d]+$/u.test(word.text) && !JOINT.has(word.text);
