/** What the call makes of the recogniser's answers: for the log, for the turn engine, for the recording and for the turn's waterfall. */
import { type EngineUse, ParleyError } from '../contracts/index.ts';
import type { Capacity } from './capacity.ts';
import type { Journal } from './journal.ts';
import type { ListenerHooks } from './listener.ts';
import type { RecordingDesk } from './recording-desk.ts';
import type { TurnClock } from './turn-clock.ts';
import type { Happening } from './turn-desk.ts';

export interface HearingPorts {
  readonly journal: Journal;
  readonly recording: RecordingDesk;
  readonly clock: TurnClock;
  readonly capacity: Capacity;
  /** Turns of the caller so far. */
  readonly turns: () => number;
  /** Who heard the words. */
  readonly heardBy: (use: EngineUse | undefined) => void;
  readonly tellTurn: (event: Happening) => void;
}

export function hearing({ journal, recording, clock, capacity, turns, heardBy, tellTurn }: HearingPorts): ListenerHooks {
  return {
    words: (asked, result) => {
      const { text, confidence, queueMs, decodeMs, use } = result;
      recording.heard(asked, result);
      clock.decoded(queueMs, decodeMs);
      heardBy(use);
      if (asked.kind === 'final') capacity.waited('sttQueue', queueMs);
      tellTurn({ t: 'words', decode: asked.decode, text, confidence, queueMs });
    },
    failed: (asked, error) => {
      if (asked.kind === 'final') {
        recording.notHeard(asked);
        const code = error instanceof ParleyError ? error.code : 'STT_FAILED';
        journal.write({ type: 'turn.failed', body: { turn: turns(), engine: 'stt', code } });
      }
      tellTurn({ t: 'decode-failed', decode: asked.decode });
    },
  };
}
