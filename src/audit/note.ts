import { checkSignature, keyHash, type Signer } from './keys.ts';

/**
 * Checkpoints as C2SP signed notes (c2sp.org/signed-note): text lines, an empty line, then signature lines
 * "— name base64(key hash 4, Ed25519 64)". The whole text above the empty line is signed. Our text:
 *
 *   parley.audit/v1 <writer>      origin
 *   <seq>                         events of the stream so far
 *   <base64 hash>                 hash of the last of them
 *   stream <uuid> <ordinal> <day>
 *   time <ts_us>
 */
export interface Checkpoint {
  readonly writer: string;
  readonly streamId: string;
  readonly ordinal: number;
  readonly day: string;
  readonly seq: number;
  readonly hash: Buffer;
  readonly tsUs: number;
}

export interface SignedCheckpoint extends Checkpoint {
  /** The note as it was read, to be kept as it is. */
  readonly note: string;
}

const ORIGIN = 'parley.audit/v1 ';

/** Name of the key in notes and in signing.vkey (no space, no plus). */
export const NOTE_NAME = 'parley.audit';

export function writeNote(checkpoint: Checkpoint, signer: Signer): string {
  const { writer, streamId, ordinal, day, seq, hash, tsUs } = checkpoint;
  const text = `${ORIGIN}${writer}\n${seq}\n${hash.toString('base64')}\nstream ${streamId} ${ordinal} ${day}\ntime ${tsUs}\n`;
  return signNote(text, signer);
}

/** `text` ends with a line feed and holds no empty line at its end. */
export function signNote(text: string, signer: Signer): string {
  const signature = Buffer.concat([keyHash(NOTE_NAME, signer.publicKey), signer.sign(Buffer.from(text))]);
  return `${text}\n— ${NOTE_NAME} ${signature.toString('base64')}\n`;
}

const TEXT =
  /^parley\.audit\/v1 (\S+)\n(\d{1,15})\n([A-Za-z0-9+/]{43}=)\nstream ([0-9a-f-]{36}) (\d{1,15}) (\d{4}-\d\d-\d\d)\ntime (\d{1,16})\n$/;

/** The parts of a note, or null when it is none of ours. Does not check the signature. */
export function readNote(note: string): SignedCheckpoint | null {
  const end = note.indexOf('\n\n— ');
  const parts = end < 0 ? null : TEXT.exec(note.slice(0, end + 1));
  if (parts === null) return null;
  const [, writer = '', seq, hash = '', streamId = '', ordinal, day = '', tsUs] = parts;
  return { note, writer, streamId, ordinal: Number(ordinal), day, seq: Number(seq), hash: Buffer.from(hash, 'base64'), tsUs: Number(tsUs) };
}

/** True when one of the note's signature lines is a valid one of this key. */
export function noteSignedBy(note: string, publicKey: Buffer): boolean {
  const end = note.indexOf('\n\n— ');
  if (end < 0) return false;
  const text = Buffer.from(note.slice(0, end + 1));
  return note
    .slice(end + 2)
    .split('\n')
    .some((line) => {
      const [dash, name = '', base64 = ''] = line.split(' ');
      const bytes = Buffer.from(base64, 'base64');
      return (
        dash === '—' &&
        bytes.length === 68 &&
        bytes.subarray(0, 4).equals(keyHash(name, publicKey)) &&
        checkSignature(publicKey, text, bytes.subarray(4))
      );
    });
}

const ANCHOR_LINE = /parley\.audit\/note ([A-Za-z0-9+/]{100,20000}={0,2})(?![A-Za-z0-9+/=])/;

/** A note as one line, for places that keep lines: the collector's file can be given to the verification as it is. */
export function anchorLine(note: string): string {
  return `parley.audit/note ${Buffer.from(note).toString('base64')}`;
}

/** The notes in a file of a log collector, whatever stands around them in their lines; other lines are somebody else's. */
function readLogLines(lines: readonly string[]): { notes: SignedCheckpoint[]; garbage: number[] } {
  const notes: SignedCheckpoint[] = [];
  const garbage: number[] = [];
  lines.forEach((line, index) => {
    if (!line.includes('parley.audit/note ')) return;
    const note = readNote(Buffer.from(ANCHOR_LINE.exec(line)?.[1] ?? '', 'base64').toString('utf8'));
    if (note === null) garbage.push(index + 1);
    else notes.push(note);
  });
  return { notes, garbage };
}

/** More than the longest note has. */
const MOST_LINES = 100;

/** The note that these lines end with, and where it begins: before it there may be one that a power cut has cut off. */
function lastNote(lines: readonly string[]): { readonly note: SignedCheckpoint | null; readonly at: number } {
  const starts = [0, ...[...lines.keys()].slice(1).slice(-MOST_LINES)];
  for (const at of starts) {
    const note = readNote(`${lines.slice(at).join('\n')}\n`);
    if (note !== null) return { note, at };
  }
  return { note: null, at: 0 };
}

/** An anchor file is notes one after another, or lines of a log collector. Anything between them that is no note comes back as `garbage`. */
export function readAnchors(text: string): { readonly notes: readonly SignedCheckpoint[]; readonly garbage: readonly number[] } {
  const notes: SignedCheckpoint[] = [];
  const garbage: number[] = [];
  const lines = text.split('\n');
  if (lines.some((line) => line.includes('parley.audit/note '))) return readLogLines(lines);
  let from = 0;
  lines.forEach((line, index) => {
    const last = line.startsWith('— ') && !(lines[index + 1] ?? '').startsWith('— ');
    if (!last) return;
    const { note, at } = lastNote(lines.slice(from, index + 1));
    if (note === null || at > 0) garbage.push(from + 1);
    if (note !== null) notes.push(note);
    from = index + 1;
  });
  if (lines.slice(from).some((line) => line !== '')) garbage.push(from + 1);
  return { notes, garbage };
}
