/** Finds the longest known phrase that begins at a word: numbers, months, marks of time. */
export interface PhraseTree<T> {
  /** Value and end of the longest phrase from `at` on. */
  find(words: readonly string[], at: number): { readonly value: T; readonly to: number } | null;
}

interface Node<T> {
  readonly next: Map<string, Node<T>>;
  leaf: { readonly value: T } | null;
}

export function phraseTree<T>(entries: Iterable<readonly [phrase: string, value: T]>): PhraseTree<T> {
  const root: Node<T> = { next: new Map(), leaf: null };
  for (const [phrase, value] of entries) {
    let node = root;
    for (const word of phrase.split(' ')) {
      const known = node.next.get(word);
      const next = known ?? { next: new Map<string, Node<T>>(), leaf: null };
      if (known === undefined) node.next.set(word, next);
      node = next;
    }
    // The first meaning stays.
    node.leaf ??= { value };
  }
  return {
    find(words, at) {
      let node: Node<T> | undefined = root;
      let best: { value: T; to: number } | null = null;
      for (let to = at; to < words.length; to++) {
        node = node.next.get(words[to] ?? '');
        if (node === undefined) break;
        if (node.leaf !== null) best = { value: node.leaf.value, to: to + 1 };
      }
      return best;
    },
  };
}
