/**
 * A recording on disk: one line of JSON in the clear (what it is, nothing of whom), then chunks, each
 *   uint32 BE length of what follows | nonce 12 | AES-256-GCM ciphertext of int16 LE caller, agent, caller, agent ... | tag 16
 * Additional data of a chunk: uuid 16 | uint32 BE number of the chunk | uint32 BE samples, so that none can be moved, cut or repeated.
 * The key is in the vault only. That the last chunks are there is shown by the log, which has the hash of each.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { ParleyError } from '../../contracts/index.ts';
import { decrypt, encrypt } from '../vault.ts';

export interface RecordingHeader {
  readonly format: 'parley-recording/1';
  readonly recording: string;
  readonly rateHz: number;
  readonly channels: readonly ['caller', 'agent'];
  /** Says to whoever finds the file that one side is synthetic speech (EU AI Act, Article 50(2)). */
  readonly synthetic: readonly ['agent'];
}

const SUFFIX = '.recording';
const LENGTH_BYTES = 4;
const MAX_HEADER_BYTES = 4096;
const MAX_CHUNK_BYTES = 16 * 1024 * 1024;

export const recordingFile = (folder: string, id: string): string => join(folder, `${id}${SUFFIX}`);

/** The id in a file's name; null for another file. */
export function recordingId(name: string): string | null {
  return /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.recording$/.exec(name)?.[1] ?? null;
}

export function encodeHeader(id: string, rateHz: number): Buffer {
  const header: RecordingHeader = {
    format: 'parley-recording/1',
    recording: id,
    rateHz,
    channels: ['caller', 'agent'],
    synthetic: ['agent'],
  };
  return Buffer.from(`${JSON.stringify(header)}\n`);
}

/** The bytes of a chunk in the file. */
export function encodeChunk(key: Buffer, id: string, chunk: number, frames: Int16Array): Buffer {
  const plain = Buffer.from(frames.buffer, frames.byteOffset, frames.byteLength);
  const sealed = encrypt(key, plain, additionalData(id, chunk, frames.length / 2));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(sealed.length);
  return Buffer.concat([length, sealed]);
}

export interface Decoded {
  readonly header: RecordingHeader;
  /** int16 LE, caller and agent in turn. */
  readonly pcm: Buffer;
  readonly chunks: number;
}

/** Errors: RECORDING_FAILED when the key or a byte is not the one it was written with, or a chunk is missing in between. */
export function decodeRecording(bytes: Buffer, key: Buffer): Decoded {
  const end = bytes.indexOf('\n');
  const header = JSON.parse(bytes.subarray(0, Math.max(0, end)).toString('utf8')) as RecordingHeader;
  const parts: Buffer[] = [];
  let chunks = 0;
  for (let at = end + 1; at + 4 <= bytes.length; chunks++) {
    const length = bytes.readUInt32BE(at);
    // The last piece may be torn by a crash: what the log did not name was never there.
    if (length > MAX_CHUNK_BYTES || at + 4 + length > bytes.length) break;
    parts.push(openChunk(key, header.recording, chunks, bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return { header, pcm: Buffer.concat(parts), chunks };
}

export interface OnDisk {
  readonly chunks: number;
  readonly samples: number;
  /** Of the file up to its last whole piece. */
  readonly sha256: string;
}

/** What is there of a recording that nobody finished; no key is needed. A file that is not there has nothing. Errors: of the file system. */
export async function measureRecording(path: string): Promise<OnDisk> {
  const hash = createHash('sha256');
  const found = { chunks: 0, samples: 0 };
  const file = await open(path, 'r').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  });
  try {
    const header = (await file?.read(Buffer.alloc(MAX_HEADER_BYTES), 0, MAX_HEADER_BYTES, 0)) ?? { buffer: Buffer.alloc(0), bytesRead: 0 };
    const end = header.buffer.subarray(0, header.bytesRead).indexOf('\n') + 1;
    hash.update(header.buffer.subarray(0, end));
    for (let at = end; file !== null && end > 0;) {
      const piece = await pieceAt(file, at);
      if (piece === null) break;
      hash.update(piece);
      at += piece.length;
      found.chunks += 1;
      found.samples += samplesIn(piece.length - LENGTH_BYTES);
    }
  } finally {
    await file?.close();
  }
  return { ...found, sha256: hash.digest('hex') };
}

/** A whole piece with its length before it; null when the file ends before it does. */
async function pieceAt(file: FileHandle, at: number): Promise<Buffer | null> {
  const head = Buffer.alloc(LENGTH_BYTES);
  if ((await file.read(head, 0, LENGTH_BYTES, at)).bytesRead < LENGTH_BYTES) return null;
  const length = head.readUInt32BE(0);
  if (length > MAX_CHUNK_BYTES) return null;
  const piece = Buffer.alloc(LENGTH_BYTES + length);
  return (await file.read(piece, 0, piece.length, at)).bytesRead < piece.length ? null : piece;
}

/** Two channels of 16 bits, a nonce before and a tag behind. */
const samplesIn = (sealedBytes: number): number => (sealedBytes - 28) / 4;

function openChunk(key: Buffer, id: string, chunk: number, sealed: Buffer): Buffer {
  const samples = samplesIn(sealed.length);
  try {
    return decrypt(key, sealed, additionalData(id, chunk, samples));
  } catch (error) {
    throw new ParleyError(
      'RECORDING_FAILED',
      `Chunk ${chunk} of recording ${id} does not open: its key or its bytes are not those of then.`,
      {
        cause: error,
      },
    );
  }
}

function additionalData(id: string, chunk: number, samples: number): Buffer {
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(chunk, 0);
  numbers.writeUInt32BE(samples, 4);
  return Buffer.concat([Buffer.from(id.replaceAll('-', ''), 'hex'), numbers]);
}
