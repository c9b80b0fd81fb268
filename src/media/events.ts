/** Native event records to contract events. */
import type { MediaEvent } from '../contracts/index.ts';
import { EVENT_FIELDS, EVENTS } from './native.ts';

export interface DecodedEvent {
  readonly slot: number;
  readonly generation: number;
  readonly event: MediaEvent;
}

/** The record at `index` of a drained buffer; undefined for a type this version does not know. */
export function decodeEvent(buffer: Float64Array, index: number): DecodedEvent | undefined {
  const at = index * EVENT_FIELDS;
  const field = (offset: number): number => buffer[at + offset] ?? 0;
  const event = toEvent(EVENTS[field(0)], field(3), field(4), field(5), field(6));
  return event === undefined ? undefined : { slot: field(1), generation: field(2), event };
}

function toEvent(type: (typeof EVENTS)[number] | undefined, a: number, b: number, sample: number, atUs: number): MediaEvent | undefined {
  switch (type) {
    case 'rtp-start':
      return { t: 'rtp-start', atUs };
    case 'speech-start':
    case 'speech-end':
      return { t: type, sample, atUs };
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
