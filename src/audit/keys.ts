import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, verify, type KeyObject } from 'node:crypto';
import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ParleyError } from '../contracts/index.ts';
import { sha256 } from './chain.ts';

/** 32 random bytes in `path`, made with mode 0600 at the first start. */
export async function readOrCreateKey(path: string): Promise<Buffer> {
  const text = await readOrCreate(path, () => `${randomBytes(32).toString('base64')}\n`);
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== 32)
    throw new ParleyError('SPOOL_FAILED', `The key file ${path} does not hold 32 bytes in base64; restore it from its backup.`);
  return key;
}

/** Synced before it counts: a key that a power cut takes back would make everything under it unreadable. */
async function readOrCreate(path: string, make: () => string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await makeFolder(dirname(path));
  const text = make();
  await writeSynced(path, text);
  return text;
}

/** Whole or as it was before, also after a power cut. */
export async function writeSynced(path: string, text: string): Promise<void> {
  const partial = `${path}.${String(process.pid)}`;
  const file = await open(partial, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, path);
  await syncFolder(dirname(path));
}

/** Mode 0700, with all that lead to it; there after a power cut. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  const top = dirname(resolve(first));
  for (let at = dirname(resolve(path)); at.length > top.length; at = dirname(at)) await syncFolder(at);
  // It is not ours: one that we may only write to is left to its file system.
  await syncFolder(top).catch(() => undefined);
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Signs streams and checkpoints. The private key is in a file of the gateway, never in the database. */
export interface Signer {
  readonly publicKey: Buffer;
  sign(message: Buffer): Buffer;
}

/**
 * The gateway's Ed25519 key (RFC 8032) in `folder`: signing.key (PKCS 8, mode 0600), signing.pub.pem, and signing.vkey, the form
 * that signed-note tools read. The two public files are what an auditor gets.
 */
export async function readOrCreateSigner(folder: string, name: string): Promise<Signer> {
  const pem = await readOrCreate(
    join(folder, 'signing.key'),
    () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  );
  const key = createPrivateKey(pem);
  const publicPem = createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string;
  const publicKey = rawPublicKey(createPublicKey(key));
  await writeFile(join(folder, 'signing.pub.pem'), publicPem, { mode: 0o644 });
  await writeFile(join(folder, 'signing.vkey'), `${verifierKey(name, publicKey)}\n`, { mode: 0o644 });
  return { publicKey, sign: (message) => sign(null, message, key) };
}

/** The 32 bytes of an Ed25519 public key (its SPKI form ends with them). */
export function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' }).subarray(-32);
}

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

export function checkSignature(publicKey: Buffer, message: Buffer, signature: Buffer): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
  return verify(null, message, key, signature);
}

/** Reads signing.pub.pem or signing.vkey. Errors: CONFIG_INVALID. */
export async function readPublicKey(path: string): Promise<Buffer> {
  const text = (await readFile(path, 'utf8')).trim();
  if (text.startsWith('-----')) return rawPublicKey(createPublicKey(text));
  const bytes = Buffer.from(text.slice(text.indexOf('+', text.indexOf('+') + 1) + 1), 'base64');
  if (bytes.length !== 33 || bytes[0] !== 1) {
    throw new ParleyError('CONFIG_INVALID', `${path} is neither a PEM public key nor a verifier key (name+hash+base64).`, {
      place: { file: path },
    });
  }
  return bytes.subarray(1);
}

export function verifierKey(name: string, publicKey: Buffer): string {
  return `${name}+${keyHash(name, publicKey).toString('hex')}+${Buffer.concat([Buffer.from([1]), publicKey]).toString('base64')}`;
}

/** C2SP signed-note: the first four bytes of sha256(name LF 0x01 key). */
export function keyHash(name: string, publicKey: Buffer): Buffer {
  return sha256(Buffer.concat([Buffer.from(`${name}\n\x01`), publicKey])).subarray(0, 4);
}
