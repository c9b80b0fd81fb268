/** A YAML text whose values know their lines. The flows have a reader of their own: stages share no code but the contracts. */
import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import type { FilePlace } from '../contracts/index.ts';

export interface YamlText {
  /** Null for an empty file. */
  readonly data: unknown;
  readonly errors: readonly { readonly line: number; readonly column: number; readonly message: string }[];
  /** Where the key at `path` stands, or the nearest key above it; without a line when there is none. */
  place(path: readonly PropertyKey[]): FilePlace;
}

export function readYaml(text: string, file: string): YamlText {
  const lines = new LineCounter();
  // Without source excerpts: a broken line may hold a secret.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const errors = document.errors.map(({ pos, message }) => {
    const { line, col } = lines.linePos(pos[0]);
    return { line: Math.max(1, line), column: Math.max(1, col), message: message.split('\n')[0] ?? message };
  });
  return {
    data: errors.length === 0 ? (document.toJS({ maxAliasCount: 100 }) as unknown) : undefined,
    errors,
    place(path) {
      const key = path.map(String).join('.');
      let offset: number | undefined;
      for (let depth = path.length; depth > 0 && offset === undefined; depth--) {
        const parent: unknown = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
        offset = keyOffset(parent, path[depth - 1]);
      }
      return offset === undefined ? { file, key } : { file, line: lines.linePos(offset).line, key };
    },
  };
}

function keyOffset(parent: unknown, key: PropertyKey | undefined): number | undefined {
  if (!isNode(parent) || !isMap(parent)) return undefined;
  const pair = parent.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
  return isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
}
