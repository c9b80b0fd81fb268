/** What a call says of engines beyond its own machines, before they get anything, and what it says when all of them have failed. */
import type { OutsideEngine, Timers } from '../contracts/index.ts';
import type { Journal } from './journal.ts';
import type { Speaker } from './speaker.ts';

/** On disk before the first byte leaves: who may get what, and why that is lawful. */
export async function nameProcessors(journal: Journal, engines: readonly OutsideEngine[]): Promise<void> {
  for (const body of engines) await journal.before({ type: 'engine.external', body });
}

const APOLOGY_MS = 6000;

/** From the phrase cache, where it was put at start: nothing else may work any more. Never rejects, never takes long. */
export function apologise(speaker: Speaker, sorry: { readonly text: string; readonly language: string }, timers: Timers): Promise<void> {
  speaker.stop();
  return new Promise((resolve) => {
    const cancel = timers.after(APOLOGY_MS, resolve);
    speaker
      .speak([{ t: 'say', ...sorry, prompt: 'apology', kind: 'statement', interruptible: false }])
      .catch(() => undefined)
      .finally(() => {
        cancel();
        resolve();
      })
      .catch(() => undefined);
  });
}
