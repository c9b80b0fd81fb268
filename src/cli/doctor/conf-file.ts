/** Asterisk's configuration files as settings that know their lines: sections, templates, comments, #include below the same folder. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';

export interface Setting {
  readonly file: string;
  readonly line: number;
  readonly key: string;
  readonly value: string;
}

export interface Section {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  /** Inherited ones first; for a key that may stand once, the last one counts. */
  readonly settings: readonly Setting[];
}

const MOST_BYTES = 4_000_000;
const MOST_FILES = 300;
const MOST_DEPTH = 12;

interface Line {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** The sections of `folder/name` and what it includes; none when there is no such file. Relative file names are shown as under `folder`. */
export async function readConf(folder: string, name: string): Promise<Section[]> {
  const lines: Line[] = [];
  await collect(resolve(folder), join(resolve(folder), name), lines, { files: 0 }, 0);
  return sectionsOf(lines.map((line) => ({ ...line, file: join(folder, relative(resolve(folder), line.file)) })));
}

/** The last value of a key; undefined when it is not set. */
export function setting(section: Section | undefined, key: string): Setting | undefined {
  return section?.settings.findLast((entry) => entry.key === key);
}

export const isTrue = (value: string | undefined): boolean => value !== undefined && /^(yes|true|y|t|1|on)$/i.test(value);
export const isFalse = (value: string | undefined): boolean => value !== undefined && /^(no|false|n|f|0|off)$/i.test(value);

async function collect(root: string, file: string, lines: Line[], seen: { files: number }, depth: number): Promise<void> {
  if (depth > MOST_DEPTH || ++seen.files > MOST_FILES) return;
  const text = await textOf(file);
  if (text === null) return;
  for (const [index, plain] of withoutComments(text).entries()) {
    const include = /^#(?:try)?include\s+["<]?([^">]+?)[">]?\s*$/.exec(plain);
    if (include === null) {
      if (plain !== '') lines.push({ file, line: index + 1, text: plain });
      continue;
    }
    for (const found of await matching(root, resolve(root, include[1] ?? ''))) await collect(root, found, lines, seen, depth + 1);
  }
}

/** The lines without comments: ; to the end of the line, ;-- to --; over several. A semicolon behind a backslash is text. */
function withoutComments(text: string): string[] {
  let commented = false;
  return text.split(/\r?\n/).map((raw) => {
    let kept = '';
    for (let rest = raw; rest !== '';) {
      if (commented) {
        const end = rest.indexOf('--;');
        if (end < 0) break;
        commented = false;
        rest = rest.slice(end + 3);
        continue;
      }
      const at = /(?<!\\);/.exec(rest)?.index ?? rest.length;
      kept += rest.slice(0, at);
      commented = /^;--(?!-)/.test(rest.slice(at));
      if (!commented) break;
      rest = rest.slice(at + 3);
    }
    return kept.trim();
  });
}

async function textOf(file: string): Promise<string | null> {
  try {
    const { size } = await stat(file);
    return size > MOST_BYTES ? null : await readFile(file, 'utf8');
  } catch {
    return null;
  }
}

/** A * in the file name only, as Asterisk's users write it. Nothing outside the folder is read. */
async function matching(root: string, pattern: string): Promise<string[]> {
  if (relative(root, pattern).startsWith('..')) return [];
  if (!basename(pattern).includes('*')) return [pattern];
  const parts = basename(pattern).split('*');
  const expression = new RegExp(`^${parts.map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);
  const names = await readdir(dirname(pattern)).catch(() => []);
  return names
    .filter((name) => expression.test(name))
    .sort()
    .map((name) => join(dirname(pattern), name));
}

function sectionsOf(lines: readonly Line[]): Section[] {
  const sections: { name: string; file: string; line: number; template: boolean; settings: Setting[] }[] = [];
  for (const { file, line, text } of lines) {
    const head = /^\[([^\]]+)\](?:\(([^)]*)\))?/.exec(text);
    if (head !== null) {
      const flags = (head[2] ?? '').split(',').map((flag) => flag.trim());
      const inherited = sections.filter(({ name }) => flags.includes(name)).flatMap(({ settings }) => settings);
      const name = head[1] ?? '';
      // [name](+) goes on with an earlier section.
      const earlier = flags.includes('+') ? sections.findLast((section) => section.name === name) : undefined;
      if (earlier !== undefined) sections.push(...sections.splice(sections.indexOf(earlier), 1));
      else sections.push({ name, file, line, template: flags.includes('!'), settings: [...inherited] });
      continue;
    }
    const pair = /^([^=]+?)\s*=>?\s*(.*)$/.exec(text);
    if (pair !== null) sections.at(-1)?.settings.push({ file, line, key: (pair[1] ?? '').toLowerCase(), value: pair[2] ?? '' });
  }
  return sections.filter(({ template }) => !template);
}
