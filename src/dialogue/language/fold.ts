/** One spelling for look-ups: small letters without marks, so that "mañana", "manana" and "MAÑANA" are one word. */
export function fold(word: string): string {
  return word.toLowerCase().replaceAll('ß', 'ss').normalize('NFD').replace(/\p{M}/gu, '');
}

/** The phrase's words, folded. */
export function foldAll(phrase: string): string[] {
  return phrase
    .split(/[\s-]+/)
    .filter((word) => word !== '')
    .map(fold);
}
