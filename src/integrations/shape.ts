/** Results and arguments against what the flow file promises: no more than that gets through. */
import type { ToolShape, ToolValue } from '../contracts/index.ts';

/** Only the fields of the shape, each of its type; null when one is missing or wrong: the tool lies. */
export function fitted(value: unknown, shape: ToolShape): Readonly<Record<string, ToolValue>> | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const fields: Record<string, ToolValue> = {};
  for (const [name, field] of Object.entries(shape)) {
    const found: unknown = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
    if ((found === undefined || found === null) && field.optional) continue;
    if (typeof found !== 'string' && typeof found !== 'number' && typeof found !== 'boolean') return null;
    if (typeof found !== field.type || (typeof found === 'number' && !Number.isFinite(found))) return null;
    if (typeof found === 'string' && found.length > field.maxLength) return null;
    if (field.oneOf !== null && !field.oneOf.includes(found)) return null;
    fields[name] = found;
  }
  return fields;
}
