/** What the log keeps of a dialogue's effects that are neither spoken nor done, and of the line. */
import type { DialogueEffect, MediaSession } from '../contracts/index.ts';
import type { Journal } from './journal.ts';

type Note = Extract<DialogueEffect, { t: 'slot' | 'step' | 'route' | 'refused' | 'language' | 'persona' }>;

export function noteEffect(journal: Journal, effect: Note): void {
  switch (effect.t) {
    case 'slot': {
      const { slot, corrected, value } = effect;
      journal.write({ type: 'slot.filled', body: { slot, corrected }, content: { value: value.value, spoken: value.spoken } });
      return;
    }
    case 'step':
      journal.write({ type: 'step.entered', body: { step: effect.step, reason: effect.reason } });
      return;
    case 'refused':
      journal.write({ type: 'act.refused', body: { what: effect.what, rule: effect.rule } });
      return;
    case 'route': {
      const { step, choice, by, evidence, chosen } = effect;
      journal.write({ type: 'route.chosen', body: { step, choice, by, evidence, ...(chosen === undefined ? {} : { chosen }) } });
      return;
    }
    case 'language':
      journal.write({ type: 'language.changed', body: { language: effect.language } });
      return;
    // A persona is in the route that chose it.
    case 'persona':
  }
}

/** What went over the line of a call, for its last event; nothing when its audio was never open. */
export function trafficOf(media: MediaSession | null): { packetsReceived: number; packetsSent: number; dropped: number } {
  const { packetsReceived = 0, packetsSent = 0, dropped = {} } = media?.stats() ?? {};
  return { packetsReceived, packetsSent, dropped: Object.values(dropped).reduce((sum, count) => sum + count, 0) };
}
