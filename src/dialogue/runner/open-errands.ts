/** What was asked of the outside and has not been answered yet. */
import type { OpenErrand } from './state.ts';
import { type Talk, update } from './talk.ts';

/** Returns its id. */
export function beginErrand(talk: Talk, errand: Omit<OpenErrand, 'id' | 'wasSlow'>): string {
  const count = talk.state.errands + 1;
  const id = `e${count}`;
  update(talk, { errands: count, phase: 'working', open: [...talk.state.open, { ...errand, id, wasSlow: false }] });
  return id;
}

export function beginThought(talk: Talk): string {
  return beginErrand(talk, { t: 'think', tool: null, arguments: {}, call: null, use: null });
}

export function endErrand(talk: Talk, id: string): void {
  update(talk, { open: talk.state.open.filter((errand) => errand.id !== id) });
}
