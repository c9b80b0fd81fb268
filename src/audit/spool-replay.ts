import { rm, truncate } from 'node:fs/promises';
import { ParleyError } from '../contracts/index.ts';
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
): Promise<{ replay: Replay; next: number; sizes: Map<number, number>; events: Map<number, number> }> {
  const numbers = await listSegments(folder);
  const sizes = new Map<number, number>();
  const corrupt: Damage[] = [];
  let head: Head | null = null;
  const events = new Map<number, number>();
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
      const size = await reader.size();
      const visit = (record: SpoolRecord): void => {
        head = advance(head, record);
        if (record.t === 'event') events.set(number, (events.get(number) ?? 0) + 1);
      };
      const end = await walkSegment(reader, visit, (at) => corrupt.push({ path, at }));
      sizes.set(number, end.t === 'torn' ? end.at : size);
      if (end.t === 'torn' && newest) {
        await truncate(path, end.at);
        tornBytes += end.bytes;
      } else if (end.t === 'torn') corrupt.push({ path, at: end.at });
    } finally {
      await reader.close();
    }
  }
  const total = [...events.values()].reduce((sum, count) => sum + count, 0);
  return { replay: { head, segments: sizes.size, events: total, tornBytes, corrupt }, next: (numbers.at(-1) ?? 0) + 1, sizes, events };
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
