/** What an agent is offered, and whether what it asks for fits. */
import type { ToolCall, ToolDefinition, ToolShape, ToolSpec, ToolValue } from '../../contracts/index.ts';
import type { Step } from '../flow/types.ts';
import { own, type Talk } from './talk.ts';

const FINISH: ToolSpec = { name: 'finish', description: 'The goal is reached.', parameters: { type: 'object', properties: {} } };
const ASK_PERSON: ToolSpec = {
  name: 'ask_person',
  description: 'Put the caller through to a person.',
  parameters: { type: 'object', properties: {} },
};

export function specsOf(talk: Talk, step: Step & { t: 'agent' }): ToolSpec[] {
  const tools = step.tools.flatMap((name) => specOf(own(talk.script.flow.tools, name)));
  const specialists = Object.entries(step.specialists);
  if (specialists.length === 0) return [...tools, FINISH, ASK_PERSON];
  const about = specialists.map(([name, what]) => `${name}: ${what}`).join('; ');
  const handOver: ToolSpec = {
    name: 'hand_over',
    description: `Hand the caller to a specialist. ${about}`,
    parameters: {
      type: 'object',
      properties: { to: { type: 'string', enum: specialists.map(([name]) => name) } },
      required: ['to'],
      additionalProperties: false,
    },
  };
  return [...tools, handOver, FINISH, ASK_PERSON];
}

function specOf(definition: ToolDefinition | undefined): ToolSpec[] {
  if (definition === undefined) return [];
  return [{ name: definition.name, description: definition.description, parameters: schemaOf(definition.arguments) }];
}

function schemaOf(shape: ToolShape): ToolSpec['parameters'] {
  const fields = Object.entries(shape).filter(([, field]) => field.context === null);
  const properties = Object.fromEntries(fields.map(([name, { type, oneOf }]) => [name, oneOf === null ? { type } : { type, enum: oneOf }]));
  return {
    type: 'object',
    properties,
    required: fields.filter(([, field]) => !field.optional).map(([name]) => name),
    additionalProperties: false,
  };
}

/** Null when they do not fit; what comes from the call's context is dropped, so a model cannot choose it. */
export function checkArguments(call: ToolCall, { arguments: shape }: ToolDefinition): Readonly<Record<string, ToolValue>> | null {
  const given: Record<string, ToolValue> = {};
  for (const [name, field] of Object.entries(shape)) {
    if (field.context !== null) continue;
    const value = Object.hasOwn(call.arguments, name) ? call.arguments[name] : undefined;
    if (value === undefined && field.optional) continue;
    if (typeof value !== field.type || (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')) return null;
    if (typeof value === 'string' && value.length > field.maxLength) return null;
    if (typeof value === 'number' && !Number.isFinite(value)) return null;
    if (field.oneOf !== null && !field.oneOf.includes(value)) return null;
    given[name] = value;
  }
  return given;
}
