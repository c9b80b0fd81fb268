/** Bytes to text. What is no proper text is refused, because a voice would read the damage to callers. */
import { UnreadableDocument } from './problem.ts';

export function decoded(bytes: Buffer, declared: string | null = null): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return strict('utf-16le', bytes.subarray(2));
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return strict('utf-16be', bytes.subarray(2));
  if (declared !== null && !/^utf-?8$/i.test(declared)) return strict(declared, bytes);
  const text = strict('utf-8', bytes);
  if (text.includes('\u0000')) throw new UnreadableDocument('holds zero bytes, expected text');
  return text;
}

function strict(encoding: string, bytes: Buffer): string {
  try {
    new TextDecoder(encoding);
  } catch {
    throw new UnreadableDocument(`says that its encoding is "${encoding.slice(0, 40)}", which nobody knows; save it as UTF-8`);
  }
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new UnreadableDocument(`is no ${encoding.toUpperCase()} text${where(encoding, bytes)}; save it as UTF-8`);
  }
}

/** The line of the first damage, to be found in an editor. */
function where(encoding: string, bytes: Buffer): string {
  if (encoding !== 'utf-8') return '';
  let line = 1;
  for (let from = 0; from < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, from);
    const to = end === -1 ? bytes.length : end;
    const part = bytes.subarray(from, to);
    if (part.toString('utf8').includes('\ufffd') && !part.includes(Buffer.from('\ufffd'))) return ` (first damage in line ${line})`;
    from = to + 1;
  }
  return '';
}
