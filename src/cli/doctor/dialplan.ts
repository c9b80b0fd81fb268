/** Which numbers a dialplan lets be dialled. Patterns as in Asterisk: X, Z, N, [..], . and !. Pure. */
import type { Finding } from './finding.ts';
import type { Section } from './conf-file.ts';

/** Numbers that cost money: international in the ways they are dialled, and premium rates of some countries. */
const COSTLY = [
  { number: '00442079460000', what: 'international' },
  { number: '+442079460000', what: 'international' },
  { number: '011442079460000', what: 'international' },
  { number: '000442079460000', what: 'international' },
  { number: '900442079460000', what: 'international' },
  { number: '9011442079460000', what: 'international' },
  { number: '09001234567', what: 'premium-rate' },
  { number: '009001234567', what: 'premium-rate' },
  { number: '19005551234', what: 'premium-rate' },
  { number: '9005551234', what: 'premium-rate' },
  { number: '0899123456', what: 'premium-rate' },
] as const;

/** Functions by which a dialplan looks a number up in a list. */
const LIST = /DB_EXISTS|DIALPLAN_EXISTS|\$\{DB\(|\bDB\(|ODBC_|REGEX\(/i;

export function patternOf(extension: string): RegExp | null {
  if (!extension.startsWith('_')) return null;
  let text = '';
  const source = extension.slice(1).replace(/-/g, (dash, at: number, all: string) => (inBrackets(all, at) ? dash : ''));
  for (let at = 0; at < source.length; at++) {
    const character = source[at] ?? '';
    const end = character === '[' ? source.indexOf(']', at) : -1;
    if (end > at) {
      text += `[${source.slice(at + 1, end).replace(/[\\^\]]/g, '\\$&')}]`;
      at = end;
    } else text += CLASSES[character.toUpperCase()] ?? character.replace(/[+*?^$(){}|\\[\]/]/g, '\\$&');
  }
  try {
    return new RegExp(`^${text}$`);
  } catch {
    return null;
  }
}

const CLASSES: Readonly<Record<string, string>> = { X: '[0-9]', Z: '[1-9]', N: '[2-9]', '.': '.+', '!': '.*' };
const inBrackets = (text: string, at: number): boolean => text.lastIndexOf('[', at) > text.lastIndexOf(']', at);

/** Extensions that dial whatever matches them, costly numbers among it, and look it up in no list first. */
export function costlyExtensions(contexts: readonly Section[]): Finding[] {
  return contexts.filter(({ name }) => name !== 'general' && name !== 'globals').flatMap(inContext);
}

interface Step {
  /** Null: of the extension before it (same => ...). */
  readonly extension: string | null;
  readonly first: boolean;
  readonly action: string;
}

function stepOf(key: string, value: string): Step | null {
  if (key !== 'exten' && key !== 'same') return null;
  const [head = '', ...more] = value.split(',');
  if (key === 'same') return { extension: null, first: false, action: more.join(',') };
  const [priority = '', ...rest] = more;
  return { extension: head.trim(), first: /^\s*1\b/.test(priority), action: rest.join(',') };
}

const dialsWhatMatched = (action: string): boolean => /^\s*Dial\b/i.test(action) && /\$\{EXTEN/i.test(action);

function inContext({ name, settings }: Section): Finding[] {
  const findings: Finding[] = [];
  let pattern: RegExp | null = null;
  let listed = false;
  for (const { key, value, file, line } of settings) {
    const step = stepOf(key, value);
    if (step === null) continue;
    if (step.extension !== null) pattern = patternOf(step.extension);
    listed = (listed && !step.first) || LIST.test(step.action);
    const found = listed || !dialsWhatMatched(step.action) ? undefined : COSTLY.find(({ number }) => pattern?.test(number) === true);
    if (found === undefined) continue;
    const message = `context ${name} dials ${found.what} numbers (${found.number} matches) without a list: name the numbers, or look them up with DB_EXISTS first`;
    findings.push({ check: 8, file, line, message });
  }
  return findings;
}
