import { open, rm } from 'node:fs/promises';
import { ParleyError } from '../contracts/index.ts';
import { CallsInLog } from './calls-in-log.ts';
import { advance, decodeRecord, type Head, type SpoolRecord } from './records.ts';
import { listSegments, SegmentReader, segmentPath, type SegmentEnd } from './spool-segments.ts';

/** What a boot found on disk. */
export interface Replay {
  readonly head: Head | null;
  readonly segments: number;
  readonly events: number;
  /** Bytes of an unacknowledged last write that were dropped. */
  readonly tornBytes: number;
  /** Damaged places: kept as they are, skipped, reported. */
  readonly corrupt: readonly Damage[];
  readonly calls: CallsInLog;
}

/** A segment on disk. */
export interface SegmentState {
  /** Bytes that are on disk for certain. */
  size: number;
  events: number;
  /** Where the chain stood at its end; null when it holds no chain. */
  tail: Head | null;
}

export interface Damage {
  readonly path: string;
  readonly at: number;
}

/** Reads a whole segment, over damage too. `visit` gets each record with the byte after its frame. Returns how it ends. */
export async function walkSegment(
  reader: SegmentReader,
  visit: (record: SpoolRecord, end: number) => void,
  damage: (at: number) => void,
): Promise<SegmentEnd> {
  const size = await reader.size();
  for (;;) {
    for (let frames = await reader.read(size); frames.length > 0; frames = await reader.read(size)) {
      for (const frame of frames) for (const line of frame.text.split('\n')) visit(decodeRecord(line), frame.end);
    }
    const end = await reader.end(size);
    if (end.t !== 'corrupt') return end;
    damage(end.at);
    reader.skipTo(end.resumesAt);
  }
}

/** Reads every segment once: checks it, finds the chain's head, drops a torn tail. */
export async function replayFolder(
  folder: string,
  key: Buffer,
): Promise<{ replay: Replay; next: number; segments: Map<number, SegmentState> }> {
  const numbers = await listSegments(folder);
  const segments = new Map<number, SegmentState>();
  const corrupt: Damage[] = [];
  let head: Head | null = null;
  const calls = new CallsInLog();
  let events = 0;
  let tornBytes = 0;
  for (const number of numbers) {
    const path = segmentPath(folder, number);
    const newest = number === numbers.at(-1);
    const reader = await openOrNull(path, key, corrupt);
    if (reader === null) {
      // Made at the very moment when the power went: nothing was ever in it.
      if (newest && !corrupt.some((damage) => damage.path === path)) await rm(path, { force: true });
      continue;
    }
    try {
      const state: SegmentState = { size: await reader.size(), events: 0, tail: head };
      const visit = (record: SpoolRecord): void => {
        state.tail = advance(state.tail, record);
        if (record.t !== 'event') return;
        state.events += 1;
        calls.see(record.row);
      };
      const end = await walkSegment(reader, visit, (at) => corrupt.push({ path, at }));
      if (end.t === 'torn') {
        state.size = end.at;
        if (newest) {
          await cutOff(path, end.at);
          tornBytes += end.bytes;
        } else corrupt.push({ path, at: end.at });
      }
      segments.set(number, state);
      head = state.tail;
      events += state.events;
    } finally {
      await reader.close();
    }
  }
  return { replay: { head, segments: segments.size, events, tornBytes, corrupt, calls }, next: (numbers.at(-1) ?? 0) + 1, segments };
}

/** Synced: a tail that a power cut brings back would stand before newer segments, and look like damage. */
async function cutOff(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.truncate(at);
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function openOrNull(path: string, key: Buffer, corrupt: Damage[]): Promise<SegmentReader | null> {
  try {
    return await SegmentReader.open(path, key);
  } catch (error) {
    if (!(error instanceof ParleyError) || error.code !== 'SPOOL_CORRUPT') throw error;
    corrupt.push({ path, at: 0 });
    return null;
  }
}
