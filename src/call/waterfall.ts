/** Where the time of a turn went, from the audio time line: caller's last speech sample to our first sample in RTP. Pure. */
import type { Waterfall } from '../contracts/index.ts';

/** Moments in microseconds of the media clock; filled in as the turn goes on. */
export interface TurnMarks {
  readonly turn: number;
  /** The caller's last voiced sample, as time of its arrival. */
  readonly endUs: number;
  readonly committedUs: number;
  sttQueueMs: number | null;
  sttMs: number | null;
  repliedUs: number | null;
  synthesisedUs: number | null;
  ttsMs: number | null;
  startedUs: number | null;
}

const ms = (fromUs: number | null, toUs: number | null): number | null =>
  fromUs === null || toUs === null ? null : Math.round((toUs - fromUs) / 100) / 10;

export function waterfall(marks: TurnMarks): Waterfall {
  return {
    waitMs: ms(marks.endUs, marks.committedUs) ?? 0,
    sttQueueMs: marks.sttQueueMs,
    sttMs: marks.sttMs,
    dialogueMs: ms(marks.committedUs, marks.repliedUs),
    ttsMs: marks.ttsMs,
    playoutMs: ms(marks.synthesisedUs, marks.startedUs),
    perceivedMs: ms(marks.endUs, marks.startedUs),
  };
}
