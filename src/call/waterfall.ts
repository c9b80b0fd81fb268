/** Where the time of a turn went, from the audio time line: caller's last speech sample to our first sample in RTP. Pure. */
import type { Waterfall } from '../contracts/index.ts';

/** Moments in microseconds of the media clock; filled in as the turn goes on. */
export interface TurnMarks {
  readonly turn: number;
  /** The caller's last voiced sample, as time of its arrival. */
  readonly endUs: number;
  readonly committedUs: number;
  readonly chosenWaitMs: number | null;
  /** off: nothing was prepared; miss: for other words; late: it was not held yet; hit: it was. */
  speculation: 'hit' | 'late' | 'miss' | 'off';
  sttQueueMs: number | null;
  sttMs: number | null;
  repliedUs: number | null;
  /** Time of the language model; null where a flow answers by itself. */
  thinkMs: number | null;
  synthesisedUs: number | null;
  ttsMs: number | null;
  bridgedUs: number | null;
  startedUs: number | null;
}

/** Longer than this past the wait that was chosen, the recogniser was waited for. */
const STT_LATE_MS = 30;
/** The next slot and its way through the engine. */
const SOON_MS = 45;

const ms = (fromUs: number | null, toUs: number | null): number | null =>
  fromUs === null || toUs === null ? null : Math.round((toUs - fromUs) / 100) / 10;

export function waterfall(marks: TurnMarks): Waterfall {
  const waitMs = ms(marks.endUs, marks.committedUs) ?? 0;
  const repliedMs = ms(marks.committedUs, marks.repliedUs);
  return {
    waitMs,
    sttQueueMs: marks.sttQueueMs,
    sttMs: marks.sttMs,
    dialogueMs: marks.thinkMs === null ? repliedMs : Math.round(marks.thinkMs * 10) / 10,
    ttsMs: marks.ttsMs,
    playoutMs: ms(marks.synthesisedUs, marks.startedUs),
    perceivedMs: ms(marks.endUs, marks.startedUs),
    ...bridged(marks),
    ...(marks.chosenWaitMs === null ? {} : { chosenWaitMs: marks.chosenWaitMs }),
    speculation: marks.speculation,
    late: lateStage(marks, waitMs),
  };
}

function bridged({ endUs, bridgedUs }: TurnMarks): { readonly bridgedMs?: number } {
  const bridgedMs = ms(endUs, bridgedUs);
  return bridgedMs === null ? {} : { bridgedMs };
}

function lateStage(marks: TurnMarks, waitMs: number): NonNullable<Waterfall['late']> {
  if (marks.chosenWaitMs !== null && waitMs > marks.chosenWaitMs + STT_LATE_MS) return 'stt';
  const afterMs = ms(marks.committedUs, marks.startedUs) ?? 0;
  if (afterMs <= SOON_MS) return 'wait';
  const thinkMs = ms(marks.committedUs, marks.repliedUs) ?? 0;
  const voiceMs = ms(marks.repliedUs, marks.synthesisedUs) ?? 0;
  if (Math.max(thinkMs, voiceMs) <= SOON_MS) return 'playout';
  return thinkMs > voiceMs ? 'dialogue' : 'tts';
}
