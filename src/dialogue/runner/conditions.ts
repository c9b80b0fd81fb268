import type { Condition } from '../flow/types.ts';
import { own, type Talk } from './talk.ts';

/** True when the value passes every test that is named. */
export function holds({ state }: Talk, { of, is, filled, atLeast, atMost }: Condition): boolean {
  const value = (of.t === 'slot' ? own(state.slots, of.name)?.value : own(state.variables, of.name)) ?? '';
  if (filled !== null && filled !== (value !== '')) return false;
  if (is !== null && !is.includes(value)) return false;
  return isWithin(value, atLeast, atMost);
}

function isWithin(value: string, atLeast: number | null, atMost: number | null): boolean {
  if (atLeast === null && atMost === null) return true;
  const number = value === '' ? NaN : Number(value);
  return number >= (atLeast ?? -Infinity) && number <= (atMost ?? Infinity);
}
