/** Native event records to contract events. */
import type { MediaEvent, Prosody } from '../contracts/index.ts';
import { EVENT_FIELDS, EVENTS } from './native.ts';

export interface DecodedEvent {
  readonly slot: number;
  readonly generation: number;
  readonly event: MediaEvent;
}

/** One record, by the names of EVENT_FIELDS. */
interface Fields {
  readonly type: (typeof EVENTS)[number] | undefined;
  readonly a: number;
  readonly b: number;
  readonly sample: number;
  readonly atUs: number;
  readonly prosody: Prosody;
}

/** The record at `index` of a drained buffer; undefined for a type this version does not know. */
export function decodeEvent(buffer: Float64Array, index: number): DecodedEvent | undefined {
  const at = index * EVENT_FIELDS;
  const field = (offset: number): number => buffer[at + offset] ?? 0;
  const known = (offset: number): number | null => (Number.isNaN(field(offset)) ? null : field(offset));
  const event = toEvent({
    type: EVENTS[field(0)],
    a: field(3),
    b: field(4),
    sample: field(5),
    atUs: field(6),
    prosody: { pitchSlope: known(7), levelDropDb: known(8), syllablesPerS: known(9) },
  });
  return event === undefined ? undefined : { slot: field(1), generation: field(2), event };
}

function toEvent({ type, a, b, sample, atUs, prosody }: Fields): MediaEvent | undefined {
  switch (type) {
    case 'rtp-start':
      return { t: 'rtp-start', atUs };
    case 'speech-start':
    case 'speech-hint':
    case 'speech-near':
      return { t: type, sample, atUs };
    case 'speech-end':
      return { t: type, sample, atUs, prosody };
    case 'dtmf':
      return { t: 'dtmf', digit: String.fromCharCode(a), durationMs: b, sample, atUs };
    case 'clip-start':
      return { t: 'clip-start', clip: a, sentSample: sample, atUs };
    case 'clip-mark':
      return { t: 'clip-mark', clip: a, mark: b, sentSample: sample, atUs };
    case 'clip-played':
      return { t: 'clip-end', clip: a, outcome: 'played', playedSamples: b, sentSample: sample, atUs };
    case 'clip-stopped':
      return { t: 'clip-end', clip: a, outcome: 'stopped', playedSamples: b, sentSample: sample, atUs };
    case 'rtp-idle':
      return { t: 'rtp-idle', ms: a, atUs };
    case undefined:
      return undefined;
  }
}
