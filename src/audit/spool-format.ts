import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

/**
 * One spool segment on disk:
 *
 *   header  "PARLEY SPOOL 1\n" + zero byte (16) | salt (32)
 *   frame   "PFRM" (4) | uint32 number | uint32 length | AES-256-GCM ciphertext and tag (length bytes)
 *
 * One frame = one group commit = one fdatasync. Its key is HKDF-SHA-256(spool key, salt), its nonce the frame number (1, 2, 3 ...),
 * its additional data the 12 bytes before it: no frame can be changed, moved, repeated or carried to another segment unseen.
 * A frame is written only after the one before it is on disk. So an unreadable frame with none after it was never acknowledged
 * (torn); one with a readable frame after it was damaged later (corrupt).
 */
const MAGIC = Buffer.from('PARLEY SPOOL 1\n\0', 'latin1');
const FRAME_MAGIC = Buffer.from('PFRM', 'latin1');
const TAG_BYTES = 16;
export const SALT_BYTES = 32;
export const HEADER_BYTES = MAGIC.length + SALT_BYTES;
export const FRAME_HEAD_BYTES = 12;
/** Longest frame that is believed. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;

export function segmentHeader(salt: Buffer): Buffer {
  return Buffer.concat([MAGIC, salt]);
}

/** The key of a segment from its header; null when the header is none. */
export function segmentKey(spoolKey: Buffer, header: Buffer): Buffer | null {
  if (header.length < HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  const salt = header.subarray(MAGIC.length, HEADER_BYTES);
  return Buffer.from(hkdfSync('sha256', spoolKey, salt, 'parley spool segment', 32));
}

function nonce(number: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(number, 8);
  return bytes;
}

export function encodeFrame(key: Buffer, number: number, text: string): Buffer {
  const plain = Buffer.from(text);
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  FRAME_MAGIC.copy(head);
  head.writeUInt32BE(number, 4);
  head.writeUInt32BE(plain.length + TAG_BYTES, 8);
  const cipher = createCipheriv('aes-256-gcm', key, nonce(number)).setAAD(head);
  return Buffer.concat([head, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

export type FrameResult =
  | { readonly t: 'frame'; readonly number: number; readonly text: string; readonly bytes: number }
  /** More bytes are needed to judge: `bytes` in all, from the frame's start. */
  | { readonly t: 'short'; readonly bytes: number }
  | { readonly t: 'bad' };

/** Reads the frame that starts at `at`. It must have a number above `after`. */
export function decodeFrame(key: Buffer, data: Buffer, at: number, after: number): FrameResult {
  if (data.length - at < FRAME_HEAD_BYTES) return { t: 'short', bytes: FRAME_HEAD_BYTES };
  const head = data.subarray(at, at + FRAME_HEAD_BYTES);
  const number = head.readUInt32BE(4);
  const length = head.readUInt32BE(8);
  if (!head.subarray(0, 4).equals(FRAME_MAGIC) || number <= after || length < TAG_BYTES || length > MAX_FRAME_BYTES) return { t: 'bad' };
  const bytes = FRAME_HEAD_BYTES + length;
  if (data.length - at < bytes) return { t: 'short', bytes };
  const body = data.subarray(at + FRAME_HEAD_BYTES, at + bytes - TAG_BYTES);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce(number), { authTagLength: TAG_BYTES })
      .setAAD(head)
      .setAuthTag(data.subarray(at + bytes - TAG_BYTES, at + bytes));
    const text = Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
    return { t: 'frame', number, text, bytes };
  } catch {
    return { t: 'bad' };
  }
}

/** The next place after `from` where a readable frame starts; null when there is none. Tells torn from corrupt. */
export function findFrame(key: Buffer, data: Buffer, from: number, after: number): number | null {
  for (let at = data.indexOf(FRAME_MAGIC, from); at >= 0; at = data.indexOf(FRAME_MAGIC, at + 1)) {
    if (decodeFrame(key, data, at, after).t === 'frame') return at;
  }
  return null;
}
