/**
 * Expressions of flows: the Common Expression Language (https://cel.dev), without its regular expressions and loops. Types are checked when
 * a flow is loaded; at run time an expression sees the names of its flow and nothing else.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { nearestWord } from '../../contracts/index.ts';

export type ValueType = 'string' | 'int' | 'double' | 'bool';

/** What an expression may name: values, and scopes with values one level down. */
export type Names = Readonly<Record<string, ValueType | Readonly<Record<string, ValueType>>>>;

export interface Expression {
  readonly source: string;
  readonly type: ValueType;
  /** Names that it looks at: 'party', 'contact.vip'. */
  readonly names: readonly string[];
  /** Texts that names are compared with: what a choice cannot be is a mistake. */
  readonly compared: readonly (readonly [name: string, text: string])[];
  /** Value as a text, null when a name that counts has no value or the arithmetic fails. `read` gives the texts of names. */
  evaluate(read: (name: string) => string | undefined): string | null;
}

const MAX_CHARS = 500;
const LIMITS = { maxAstNodes: 200, maxDepth: 24, maxListElements: 100, maxMapEntries: 0, maxCallArguments: 8 };
/** A pattern of an author could be slow on a caller's words: `matches` is not among them. */
const FUNCTIONS = new Set(['size', 'string', 'int', 'double', 'startsWith', 'endsWith', 'contains', 'lowerAscii', 'upperAscii', 'trim']);
const EXPECTED: Readonly<Record<ValueType, string>> = {
  bool: 'true or false',
  int: 'a whole number',
  double: 'a number',
  string: 'a text',
};
/** Words of the language itself: a slot may have such a name, an expression cannot use it. */
const RESERVED = new Set(
  'in true false null as break const continue else for function if import let loop package namespace return var void while'.split(' '),
);

/** Compiles expressions over one set of names. */
export class Expressions {
  readonly #environment: Environment;
  readonly #types = new Map<string, ValueType>();

  constructor(names: Names) {
    this.#environment = new Environment({ unlistedVariablesAreDyn: false, limits: LIMITS });
    for (const [name, type] of Object.entries(names)) {
      if (RESERVED.has(name)) continue;
      if (typeof type === 'string') {
        this.#environment.registerVariable(name, type);
        this.#types.set(name, type);
        continue;
      }
      this.#environment.registerVariable({ name, schema: { ...type } });
      for (const [field, inner] of Object.entries(type)) this.#types.set(`${name}.${field}`, inner);
    }
  }

  /** The expression, or what is wrong with it. `expected` null: any value. A whole number will do for a number. */
  compile(source: string, expected: ValueType | null): Expression | { readonly problem: string } {
    if (source.length > MAX_CHARS) return { problem: `has ${source.length} characters, expected at most ${MAX_CHARS}` };
    const checked = this.#environment.check(source);
    if (!checked.valid) return { problem: this.#explained(checked.error?.message ?? '', source) };
    const type = checked.type as ValueType;
    if (!(type in EXPECTED)) return { problem: `gives ${String(checked.type)}, expected ${EXPECTED[expected ?? 'string']}` };
    if (expected !== null && expected !== type && !(expected === 'double' && type === 'int'))
      return { problem: `gives ${EXPECTED[type]} (${type}), expected ${EXPECTED[expected]} (${expected})` };
    const run = this.#environment.parse(source);
    const seen: Seen = { names: new Set(), compared: [], problem: null };
    walk(run.ast, seen);
    if (seen.problem !== null) return { problem: seen.problem };
    const names = [...seen.names];
    return { source, type, names, compared: seen.compared, evaluate: (read) => evaluated(run, this.#context(names, read)) };
  }

  #explained(message: string, source: string): string {
    const [first = '', , , pointer = ''] = message.split('\n');
    const unknown = /^(?:Unknown variable|No such key): (.+)$/.exec(first)?.[1];
    if (unknown !== undefined) {
      const known = [...this.#types.keys()];
      const whole = known.filter((name) => name === unknown || name.endsWith(`.${unknown}`));
      const near = whole.length > 0 ? whole[0] : nearestWord(unknown, known);
      return `names "${unknown}", which is no slot, variable or scope here${near === undefined ? '' : `; did you mean ${near}?`}`;
    }
    const at = pointer.indexOf('^') - '>    1 | '.length;
    return `is no valid expression: ${first}${at >= 0 && at <= source.length ? ` (at character ${at + 1})` : ''}`;
  }

  #context(names: readonly string[], read: (name: string) => string | undefined): Record<string, unknown> {
    const context: Record<string, unknown> = {};
    for (const name of names) {
      const value = typed(read(name), this.#types.get(name) ?? 'string');
      const [root = '', field] = name.split('.');
      if (field === undefined) {
        if (value !== undefined) context[root] = value;
        continue;
      }
      const scope = (context[root] ??= {}) as Record<string, unknown>;
      if (value !== undefined) scope[field] = value;
    }
    return context;
  }
}

function evaluated(run: (context: Record<string, unknown>) => unknown, context: Record<string, unknown>): string | null {
  try {
    const value = run(context);
    return typeof value === 'number' && !Number.isFinite(value) ? null : String(value);
  } catch {
    // A name without a value, a division by zero: the library says so by throwing.
    return null;
  }
}

function typed(text: string | undefined, type: ValueType): unknown {
  if (text === undefined) return undefined;
  switch (type) {
    case 'string':
      return text;
    case 'bool':
      return text === 'true' || text === 'yes' ? true : text === 'false' || text === 'no' ? false : undefined;
    case 'int':
      return /^-?\d{1,18}$/.test(text) ? BigInt(text) : undefined;
    case 'double': {
      // "5000.00 EUR": an amount of money is its number.
      const number = text === '' ? NaN : Number(text.replace(/ [A-Z]{3}$/, ''));
      return Number.isFinite(number) ? number : undefined;
    }
  }
}

interface Seen {
  readonly names: Set<string>;
  readonly compared: (readonly [string, string])[];
  problem: string | null;
}

function walk(node: ASTNode, seen: Seen): void {
  const { op, args } = node as { op: string; args: unknown };
  if (op === 'id') seen.names.add(args as string);
  else if (op === '.') {
    const [base, field] = args as [ASTNode, string];
    if (base.op === 'id') seen.names.add(`${base.args}.${field}`);
    else seen.problem ??= `has .${field} of something that has no parts`;
  } else if (op === 'call' || op === 'rcall') {
    const [name] = args as [string];
    if (!FUNCTIONS.has(name)) seen.problem ??= `calls ${name}, expected one of ${[...FUNCTIONS].join(', ')}`;
    inner(args, seen);
  } else if (op !== 'value') {
    if (op === '==' || op === '!=' || op === 'in') compare(args as [ASTNode, ASTNode], seen);
    inner(args, seen);
  }
}

function compare([left, right]: readonly [ASTNode, ASTNode], seen: Seen): void {
  const texts = (node: ASTNode): string[] => {
    if (node.op === 'value') return typeof node.args === 'string' ? [node.args] : [];
    return node.op === 'list' ? node.args.flatMap(texts) : [];
  };
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const)
    if (one.op === 'id') for (const text of texts(other)) seen.compared.push([one.args, text]);
}

function inner(args: unknown, seen: Seen): void {
  if (Array.isArray(args)) for (const part of args) inner(part, seen);
  else if (typeof args === 'object' && args !== null && 'op' in args) walk(args as ASTNode, seen);
}
