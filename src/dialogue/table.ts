/** A look-up table of foreign words: "constructor" is a word like any other, so nothing is inherited. */
export function table<T>(record: Readonly<Record<string, T>>): Readonly<Record<string, T | undefined>> {
  return Object.freeze(Object.assign(Object.create(null) as Record<string, T>, record));
}
