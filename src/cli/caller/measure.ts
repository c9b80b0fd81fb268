/**
 * What a turn cost, measured at the wire. t_end = send time of the packet with our last voiced sample + its offset; t_first = receive time of the
 * packet with the agent's first voiced sample after it + its offset; perceived = t_first - t_end. Voiced: 10 ms RMS above -45 dBov (level.ts).
 */
import { loudEdges, RATE_HZ, voiced, WINDOW_SAMPLES } from './level.ts';
import type { LoggedPacket } from './rtp.ts';

/** A stretch of 10 ms in which the agent was heard. */
export interface Heard {
  /** When its first and last loud sample came. */
  readonly firstMs: number;
  readonly lastMs: number;
}
/** What was said, on the same clock. */
export interface Said {
  readonly text: string;
  readonly step: number;
  /** Send time of the first and last voiced sample. */
  readonly startMs: number;
  readonly endMs: number;
}
export interface Turn {
  readonly said: string;
  readonly step: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** The agent's first sample after the end that begins an utterance (300 ms of quiet before it), or null when the next turn, or the end of the call, came first. */
  readonly replyAtMs: number | null;
  readonly perceivedMs: number | null;
  /** The same, read off the stereo recording: a check of the clocks. Agrees within a packet unless the machine stalled. */
  readonly perceivedByRecordingMs: number | null;
  /** How long the agent was heard while we spoke. */
  readonly overlapMs: number;
  /** When we spoke into the agent: from our first sample to its last one. Null when it was silent, or never stopped before our end. */
  readonly stoppedAfterMs: number | null;
}

/** A pause of this length divides two utterances of the agent; shorter ones are pauses between words, and going on is no reply. */
const UTTERANCE_GAP_MS = 300;
const MS_PER_SAMPLE = 1000 / RATE_HZ;
const PACKET_SAMPLES = 160;
/** How far packet times and the recording may lie apart for the same sample. */
const RECORDING_SLACK_MS = 50;

/** All voiced windows of a log, in order of arrival. */
export function heardWindows(log: readonly LoggedPacket[]): Heard[] {
  const windows: Heard[] = [];
  for (const { atMs, pcm } of log) {
    for (let from = 0; from < pcm.length; from += WINDOW_SAMPLES) {
      const to = Math.min(from + WINDOW_SAMPLES, pcm.length);
      if (!voiced(pcm, from, to)) continue;
      const edge = loudEdges(pcm, from, to);
      windows.push({ firstMs: atMs + edge.first * MS_PER_SAMPLE, lastMs: atMs + edge.last * MS_PER_SAMPLE });
    }
  }
  return windows.sort((a, b) => a.firstMs - b.firstMs);
}

/** When sample `index` of an utterance left: its packets are consecutive in the log. */
export function sentAtMs(log: readonly LoggedPacket[], firstPacket: number, index: number): number | null {
  const packet = log[firstPacket + Math.floor(index / PACKET_SAMPLES)];
  return firstPacket < 0 || packet === undefined ? null : packet.atMs + (index % PACKET_SAMPLES) * MS_PER_SAMPLE;
}

/** A recorded channel as a log: packets of 20 ms, one after another from time 0. */
export function asLog(pcm: Int16Array): LoggedPacket[] {
  const length = Math.ceil(pcm.length / PACKET_SAMPLES);
  return Array.from({ length }, (_, i) => {
    const at = i * PACKET_SAMPLES;
    return { atMs: at * MS_PER_SAMPLE, sequence: i & 0xffff, timestamp: at, ssrc: 0, pcm: pcm.subarray(at, at + PACKET_SAMPLES) };
  });
}

/** Turns by the times of packets, each with its latency by the recording beside it. */
export function turnsOf(
  said: readonly Said[],
  heard: readonly Heard[],
  recording: { readonly spoken: Int16Array; readonly heard: Int16Array },
): Turn[] {
  const [spoken, answers] = [heardWindows(asLog(recording.spoken)), heardWindows(asLog(recording.heard))];
  return said.map((line, index) => {
    // The line's last voiced sample in the recording: the last one before the recording is quiet again.
    const endMs = spoken.filter((window) => window.firstMs < line.endMs + RECORDING_SLACK_MS).at(-1)?.lastMs ?? line.endMs;
    const untilMs = said[index + 1]?.startMs ?? Infinity;
    const replyMs = firstOnset(answers, endMs, untilMs);
    return { ...turnOf(line, untilMs, heard), perceivedByRecordingMs: replyMs === null ? null : replyMs - endMs };
  });
}

function turnOf(line: Said, untilMs: number, heard: readonly Heard[]): Omit<Turn, 'perceivedByRecordingMs'> {
  const replyAtMs = firstOnset(heard, line.endMs, untilMs);
  return {
    said: line.text,
    step: line.step,
    startedAtMs: line.startMs,
    endedAtMs: line.endMs,
    replyAtMs,
    perceivedMs: replyAtMs === null ? null : replyAtMs - line.endMs,
    overlapMs:
      heard.filter((window) => window.firstMs >= line.startMs && window.lastMs <= line.endMs).length * (WINDOW_SAMPLES * MS_PER_SAMPLE),
    stoppedAfterMs: stopAfter(heard, line),
  };
}

/** First sample after `fromMs` that begins an utterance. */
function firstOnset(heard: readonly Heard[], fromMs: number, untilMs: number): number | null {
  const index = heard.findIndex((window, i) => {
    const before = heard[i - 1]?.lastMs ?? -Infinity;
    return window.firstMs > fromMs && window.firstMs - before >= UTTERANCE_GAP_MS;
  });
  const at = heard[index]?.firstMs;
  return at !== undefined && at < untilMs ? at : null;
}

/** The agent was talking when we began: when did it fall silent? */
function stopAfter(heard: readonly Heard[], line: Said): number | null {
  const talking = heard.some((window) => window.lastMs <= line.startMs && line.startMs - window.lastMs < UTTERANCE_GAP_MS);
  if (!talking) return null;
  const after = heard.filter((window) => window.lastMs > line.startMs);
  let last = line.startMs;
  for (const window of after) {
    if (window.firstMs - last >= UTTERANCE_GAP_MS) break;
    last = window.lastMs;
  }
  return last < line.endMs ? last - line.startMs : null;
}
