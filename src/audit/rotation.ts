import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { copyFile, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ParleyError } from '../contracts/index.ts';
import { keyHash, rawPublicKey, readPublicKey, syncFolder, verifierKey } from './keys.ts';
import { NOTE_NAME, noteSignedBy, signNote } from './note.ts';

export interface Rotation {
  /** First bytes of the key hashes in notes (C2SP signed-note), hex. */
  readonly old: string;
  readonly new: string;
  /** What an auditor gets: the old key signs the new one. */
  readonly note: string;
}

const signerOf = (key: KeyObject) => ({
  publicKey: rawPublicKey(createPublicKey(key)),
  sign: (message: Buffer) => sign(null, message, key),
});

/**
 * A new signing key; the old one signs for it and is destroyed, its public half stays. `announce` writes it down under the old key before
 * anything changes, and stops the log. What was signed before stays good. Errors: those of `announce` and of the file system.
 */
export async function rotateSigner(
  keysFolder: string,
  nowMs: number,
  announce: (rotation: Pick<Rotation, 'old' | 'new'>) => Promise<void>,
): Promise<Rotation> {
  const path = join(keysFolder, 'signing.key');
  const before = signerOf(createPrivateKey(await readFile(path, 'utf8')));
  const fresh = generateKeyPairSync('ed25519').privateKey;
  const after = signerOf(fresh);
  const [old, next] = [before, after].map(({ publicKey }) => keyHash(NOTE_NAME, publicKey).toString('hex'));
  if (old === undefined || next === undefined) throw new RangeError('key hash');
  await announce({ old, new: next });
  const text = `parley.audit/key ${old}\nnew ${verifierKey(NOTE_NAME, after.publicKey)}\ntime ${new Date(nowMs).toISOString()}\n`;
  const note = signNote(text, before);
  await writeFile(join(keysFolder, `rotation-${next}.note`), note, { mode: 0o644 });
  await copyFile(join(keysFolder, 'signing.pub.pem'), join(keysFolder, `signing-${old}.pub.pem`));
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(fresh.export({ type: 'pkcs8', format: 'pem' }));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await writeFile(join(keysFolder, 'signing.pub.pem'), createPublicKey(fresh).export({ type: 'spki', format: 'pem' }), { mode: 0o644 });
  await writeFile(join(keysFolder, 'signing.vkey'), `${verifierKey(NOTE_NAME, after.publicKey)}\n`, { mode: 0o644 });
  await syncFolder(keysFolder);
  return { old, new: next, note };
}

/**
 * Public keys from files: PEM, verifier key, or a rotation note, which counts when a key that is already believed signed it. Errors:
 * CONFIG_INVALID for a file that is none of them, or a note of a stranger.
 */
export async function readPublicKeys(paths: readonly string[]): Promise<readonly Buffer[]> {
  const believed: Buffer[] = [];
  let notes: { readonly path: string; readonly text: string }[] = [];
  for (const path of paths) {
    const text = await readFile(path, 'utf8');
    if (text.startsWith('parley.audit/key ')) notes.push({ path, text });
    else believed.push(await readPublicKey(path));
  }
  while (notes.length > 0) {
    const good = notes.filter(({ text }) => believed.some((key) => noteSignedBy(text, key)));
    if (good.length === 0) {
      const path = notes[0]?.path ?? '';
      throw new ParleyError('CONFIG_INVALID', `${path} is not signed by a key that was given: give the older public key, too.`, {
        place: { file: path },
      });
    }
    for (const { text } of good) believed.push(Buffer.from(/^new [^+]*\+[0-9a-f]{8}\+(\S+)$/m.exec(text)?.[1] ?? '', 'base64').subarray(1));
    notes = notes.filter((note) => !good.includes(note));
  }
  return believed;
}

/** The public keys of a gateway's own folder, those of its former ones among them. */
export async function ownPublicKeys(keysFolder: string): Promise<readonly string[]> {
  const names = await readdir(keysFolder).catch(() => []);
  return names.filter((name) => /^signing(-[0-9a-f]{8})?\.pub\.pem$/.test(name)).map((name) => join(keysFolder, name));
}
