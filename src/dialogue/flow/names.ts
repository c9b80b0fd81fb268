/** What the expressions of a flow may name, and of which type it is. */
import { Expressions, type Names, type ValueType } from './expression.ts';
import type { FlowFile, ParsedFlow, SlotFile } from './schema.ts';

type Plain = string | number | boolean;

/** Scopes that the call itself fills. */
const CALL_NAMES = {
  line: { to: 'string', from: 'string', known: 'bool' },
  now: { day: 'string', time: 'string', weekday: 'int' },
  history: { calls: 'int', last: 'string', days: 'int' },
  cost: { left: 'double', spent: 'double' },
  chosen: { language: 'string', persona: 'string', model: 'string', risk: 'string' },
} as const satisfies Names;

/** A slot or a variable with the name of a scope hides it. */
export function expressionsOf({ flow, slots }: ParsedFlow): Expressions {
  const plain: Record<string, ValueType> = {};
  for (const [name, value] of Object.entries(flow.variables)) plain[name] = typeOf(value);
  for (const [name, slot] of Object.entries(slots)) plain[name] = typeOfSlot(slot);
  const filled = Object.fromEntries(Object.keys(plain).map((name) => [name, 'bool' as const]));
  const scopes: Record<string, Names[string]> = { ...CALL_NAMES, call: typesOf(flow.call), contact: typesOf(flow.contact), filled };
  if (flow.hours !== undefined) scopes['hours'] = { open: 'bool', holiday: 'bool' };
  const used = Object.entries(scopes).filter(([, fields]) => typeof fields === 'string' || Object.keys(fields).length > 0);
  return new Expressions({ ...Object.fromEntries(used), ...plain });
}

/** Types of the variables, 'call.x' and 'contact.x': what `set` may fill. */
export function targetTypes({ variables, call, contact }: FlowFile): Readonly<Record<string, ValueType>> {
  const scoped = (scope: string, values: Readonly<Record<string, Plain>>): [string, ValueType][] =>
    Object.entries(values).map(([name, value]) => [`${scope}.${name}`, typeOf(value)]);
  return { ...typesOf(variables), ...Object.fromEntries([...scoped('call', call), ...scoped('contact', contact)]) };
}

export function textValues(values: Readonly<Record<string, Plain>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

function typesOf(values: Readonly<Record<string, Plain>>): Record<string, ValueType> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typeOf(value)]));
}

/** The type of a variable is that of its default. */
function typeOf(value: Plain): ValueType {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  return Number.isInteger(value) ? 'int' : 'double';
}

function typeOfSlot({ type }: SlotFile): ValueType {
  if (type === 'number') return 'int';
  if (type === 'money') return 'double';
  return type === 'yes-no' ? 'bool' : 'string';
}
