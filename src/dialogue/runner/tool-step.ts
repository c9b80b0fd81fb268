/** The step `do`: asks for an approval where one is needed, then for the tool. */
import { createHash } from 'node:crypto';
import type { ToolDefinition, ToolValue } from '../../contracts/index.ts';
import type { Step } from '../flow/types.ts';
import { own, type Talk, update } from './talk.ts';

type Arguments = Readonly<Record<string, ToolValue>>;

/** Null when the tool is at work; the step to go on with when it does not exist. */
export function beginTool(talk: Talk, step: Step & { t: 'do' }): string | null {
  const definition = own(talk.script.flow.tools, step.tool);
  if (definition === undefined) return step.failed ?? step.next;
  const given: Record<string, ToolValue> = {};
  for (const [name, value] of Object.entries(step.with)) {
    const field = definition.arguments[name];
    const filled = typeof value === 'string' ? fillValue(talk, value) : value;
    if (field !== undefined && !(field.optional && filled === '')) given[name] = converted(filled, field.type);
  }
  request(talk, definition, given);
  return null;
}

/** Asks for the tool, or for the approval that it needs: a call that needs one never leaves without. */
export function request(talk: Talk, definition: ToolDefinition, given: Arguments): void {
  if (!definition.approval) {
    callTool(talk, definition, given, null);
    return;
  }
  const id = nextId(talk);
  const summary = Object.entries(given).map(([name, value]) => `${name}: ${value}`);
  update(talk, { phase: 'working', errand: { id, t: 'approval', tool: definition.name, arguments: given, wasSlow: false } });
  talk.effects.push({
    t: 'approval',
    id,
    tool: definition.name,
    summary: [definition.description, ...summary].join('; '),
    timeoutMs: APPROVAL_MS,
  });
}

/** A colleague has this long; then the answer is no. */
const APPROVAL_MS = 45_000;

export function callTool(talk: Talk, definition: ToolDefinition, given: Arguments, approval: string | null): void {
  const id = nextId(talk);
  update(talk, { phase: 'working', errand: { id, t: 'tool', tool: definition.name, arguments: given, wasSlow: false } });
  talk.effects.push({
    t: 'tool',
    definition,
    request: { id, tool: definition.name, arguments: given, idempotencyKey: keyOf(definition.name, given), approval },
  });
}

/** The same act has the same key: asked for twice in a call, it is done once. */
function keyOf(tool: string, given: Arguments): string {
  const sorted = Object.entries(given).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([tool, sorted]))
    .digest('hex')
    .slice(0, 32);
}

export function nextId(talk: Talk): string {
  const count = talk.state.errands + 1;
  update(talk, { errands: count });
  return `e${count}`;
}

/** Canonical values, as tools need them, where prompts have the spoken ones. */
function fillValue({ state }: Talk, template: string): string {
  return template.replace(/\{([a-z0-9_]+)\}/g, (_, name: string) => own(state.slots, name)?.value ?? own(state.variables, name) ?? '');
}

function converted(value: ToolValue, type: 'string' | 'number' | 'boolean'): ToolValue {
  if (type === 'number') return typeof value === 'number' ? value : Number.parseFloat(String(value));
  if (type === 'boolean') return value === true || value === 'yes' || value === 'true';
  return String(value);
}
