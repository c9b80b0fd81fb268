import type { TurnEffect } from '../contracts/index.ts';
import type { Bridge } from './filler.ts';
import type { Speaker } from './speaker.ts';

export type VoiceAct = Extract<TurnEffect, { t: 'stop-speaking' | 'duck' | 'unduck' | 'pause' | 'resume' | 'filler' }>;

/** What the turn engine decided about our own voice. */
export function carryOutVoice(effect: VoiceAct, speaker: Speaker | undefined, bridge: Bridge | undefined): void {
  switch (effect.t) {
    case 'stop-speaking':
      speaker?.stop();
      break;
    case 'duck':
    case 'unduck':
      speaker?.duck(effect.t === 'duck');
      break;
    case 'pause':
      speaker?.pause();
      break;
    case 'resume':
      speaker?.resume(effect.inPlace);
      break;
    case 'filler':
      bridge?.play(effect.kind);
      break;
  }
}
