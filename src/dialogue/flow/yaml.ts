/** A YAML text whose values know their lines. */
import { LineCounter, parseDocument, isMap, isNode, isPair, isScalar, type Node } from 'yaml';
import type { FilePlace } from '../../contracts/index.ts';

export interface YamlText {
  readonly data: unknown;
  /** Syntax errors; `data` is only good without them. */
  readonly errors: readonly { readonly line: number; readonly column: number; readonly message: string }[];
  /** Where the value at `path` stands; the nearest parent when it is not there. */
  place(path: readonly PropertyKey[]): FilePlace;
}

export function readYaml(text: string, file: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const errors = document.errors.map(({ pos, message }) => {
    const { line, col } = lines.linePos(pos[0]);
    return { line: Math.max(1, line), column: Math.max(1, col), message: message.split('\n')[0] ?? message };
  });
  const lineOf = (path: readonly PropertyKey[]): number | undefined => {
    for (let depth = path.length; depth > 0; depth--) {
      const offset = keyOffset(document.getIn(path.slice(0, depth - 1), true) ?? document.contents, path[depth - 1]);
      if (offset !== undefined) return lines.linePos(offset).line;
    }
    return undefined;
  };
  return {
    data: errors.length === 0 ? (document.toJS({ maxAliasCount: 100 }) as unknown) : undefined,
    errors,
    place(path) {
      const line = lineOf(path);
      const key = path.map(String).join('.');
      return line === undefined ? { file, key } : { file, line, key };
    },
  };
}

/** Where `key` begins inside a map or a list. */
function keyOffset(parent: unknown, key: PropertyKey | undefined): number | undefined {
  if (!isNode(parent)) return undefined;
  if (isMap(parent)) {
    const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key));
    return isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
  }
  const item: unknown = 'items' in parent ? (parent as { items: readonly unknown[] }).items[Number(key)] : undefined;
  return isNode(item) ? (item as Node).range?.[0] : undefined;
}
