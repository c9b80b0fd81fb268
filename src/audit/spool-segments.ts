import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ParleyError } from '../contracts/index.ts';
import { decodeFrame, findFrame, FRAME_HEAD_BYTES, HEADER_BYTES, MAX_FRAME_BYTES, segmentKey } from './spool-format.ts';

/** Reading segments: the shipper's cursor, the replay at boot, the check of a spool. */

const NAME = /^(\d{8})\.spool$/;

export const segmentPath = (folder: string, number: number): string => join(folder, `${String(number).padStart(8, '0')}.spool`);

/** The numbers of all segments, oldest first. */
export async function listSegments(folder: string): Promise<readonly number[]> {
  return (await readdir(folder))
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

export interface SegmentFrame {
  readonly number: number;
  readonly text: string;
  /** Offset of the byte after the frame. */
  readonly end: number;
}

export type SegmentEnd =
  | { readonly t: 'clean' }
  /** Unreadable bytes up to the end: a write that was never acknowledged. */
  | { readonly t: 'torn'; readonly at: number; readonly bytes: number }
  /** Unreadable bytes with readable frames after them. */
  | { readonly t: 'corrupt'; readonly at: number; readonly resumesAt: number };

const CHUNK_BYTES = 1024 * 1024;

export class SegmentReader {
  readonly #file: FileHandle;
  readonly #key: Buffer;
  readonly path: string;
  /** Where the next frame starts. */
  offset: number;
  #last = 0;

  private constructor(file: FileHandle, key: Buffer, path: string, offset: number) {
    this.#file = file;
    this.#key = key;
    this.path = path;
    this.offset = offset;
  }

  /** Null when the file ends before its header does: it was being made when the power went. Errors: SPOOL_CORRUPT. */
  static async open(path: string, spoolKey: Buffer, offset = HEADER_BYTES): Promise<SegmentReader | null> {
    const file = await open(path, 'r');
    const header = Buffer.alloc(HEADER_BYTES);
    const { bytesRead } = await file.read(header, 0, HEADER_BYTES, 0);
    const key = bytesRead < HEADER_BYTES ? null : segmentKey(spoolKey, header);
    if (key !== null) return new SegmentReader(file, key, path, offset);
    await file.close();
    if (bytesRead < HEADER_BYTES || header.every((byte) => byte === 0)) return null;
    throw new ParleyError('SPOOL_CORRUPT', `${path} does not start as a spool segment; keep the file, and see docs/runbook.md.`, {
      place: { file: path },
    });
  }

  /** The frames from here that end at or before `limit`: at most about a megabyte of them, at least one when there is one. */
  async read(limit: number): Promise<readonly SegmentFrame[]> {
    let want = Math.min(CHUNK_BYTES, limit - this.offset);
    while (want >= FRAME_HEAD_BYTES) {
      const data = await this.#bytes(this.offset, want);
      const { frames, needs } = this.#parse(data);
      if (frames.length > 0 || needs === null || this.offset + needs > limit || data.length < want) return frames;
      want = needs;
    }
    return [];
  }

  #parse(data: Buffer): { frames: SegmentFrame[]; needs: number | null } {
    const frames: SegmentFrame[] = [];
    let at = 0;
    for (;;) {
      const result = decodeFrame(this.#key, data, at, this.#last);
      if (result.t !== 'frame') {
        this.offset += at;
        return { frames, needs: result.t === 'short' ? result.bytes : null };
      }
      at += result.bytes;
      this.#last = result.number;
      frames.push({ number: result.number, text: result.text, end: this.offset + at });
    }
  }

  /** Judges what stands after the last readable frame. */
  async end(size: number): Promise<SegmentEnd> {
    if (size <= this.offset) return { t: 'clean' };
    const at = this.offset;
    for (let from = at; from < size; from += CHUNK_BYTES) {
      // Overlap by the longest frame, so that one that crosses a chunk's end is found too.
      const data = await this.#bytes(from, Math.min(CHUNK_BYTES + MAX_FRAME_BYTES, size - from));
      const found = findFrame(this.#key, data, from === at ? 1 : 0, this.#last);
      if (found !== null) return { t: 'corrupt', at, resumesAt: from + found };
      if (from + data.length >= size) break;
    }
    return { t: 'torn', at, bytes: size - at };
  }

  /** Goes on behind damage. */
  skipTo(offset: number): void {
    this.offset = offset;
  }

  async size(): Promise<number> {
    return (await this.#file.stat()).size;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #bytes(from: number, length: number): Promise<Buffer> {
    const data = Buffer.allocUnsafe(length);
    const { bytesRead } = await this.#file.read(data, 0, length, from);
    return data.subarray(0, bytesRead);
  }
}
