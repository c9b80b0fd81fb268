import { createCipheriv, createDecipheriv, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { PayloadRow, SubjectKeyRow } from '../store/index.ts';
import { sha256 } from './chain.ts';
import { readOrCreateKey } from './keys.ts';

/**
 * Personal content, encrypted before it leaves this process. Each call is a subject of its own with a random id and a random data
 * key (DEK), wrapped by a key file (KEK) that is never in Postgres. The chain commits to a hash of the ciphertext, so deleting key
 * and ciphertext erases a person and leaves the chain whole. A KEK serves one week: destroying it after the retention period makes
 * whatever old backups hold of that week unreadable.
 */
export interface Sealed {
  readonly subjectId: string;
  readonly payload: PayloadRow;
  readonly payloadSha256: Buffer;
  /** Only with the first content of a call. */
  readonly newKey: SubjectKeyRow | null;
}

export interface VaultOptions {
  /** Folder of the KEK files and of number.key. */
  readonly keysFolder: string;
  readonly retentionDays: number;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const DAY_US = 86_400_000_000;
const WEEK_US = 7 * DAY_US;

interface Subject {
  readonly subjectId: string;
  readonly dek: Buffer;
}

export class Vault {
  readonly #options: VaultOptions;
  readonly #numberKey: Buffer;
  #kek: { readonly id: string; readonly key: Buffer };
  readonly #calls = new Map<string, Subject>();
  /** Keys of new subjects that no event has named yet. */
  readonly #unnamed = new Map<string, SubjectKeyRow>();

  private constructor(options: VaultOptions, numberKey: Buffer, kek: { id: string; key: Buffer }) {
    this.#options = options;
    this.#numberKey = numberKey;
    this.#kek = kek;
  }

  static async open(options: VaultOptions, nowUs: number): Promise<Vault> {
    const numberKey = await readOrCreateKey(join(options.keysFolder, 'number.key'));
    const vault = new Vault(options, numberKey, { id: '', key: Buffer.alloc(0) });
    await vault.renewKek(nowUs);
    return vault;
  }

  /** Call now and then: the KEK of the week. Keys in use keep the one that wrapped them. */
  async renewKek(nowUs: number): Promise<void> {
    const id = kekId(nowUs);
    if (id !== this.#kek.id) this.#kek = { id, key: await readOrCreateKey(kekFile(this.#options.keysFolder, id)) };
  }

  /** Encrypts the content of one event. `content.from` of a call is its number. */
  seal(
    place: { streamId: string; seq: number; type: string; tsUs: number; callId: string },
    content: Readonly<Record<string, string>>,
    known?: Subject,
  ): Sealed {
    let newKey: SubjectKeyRow | null = null;
    let subject = known ?? this.#calls.get(place.callId);
    if (subject === undefined) {
      subject = { subjectId: randomUUID(), dek: randomBytes(32) };
      this.#calls.set(place.callId, subject);
      newKey = this.#keyRow(subject, content['from'], place.tsUs + this.#options.retentionDays * DAY_US);
    }
    const ct = encrypt(subject.dek, Buffer.from(JSON.stringify(content)), additionalData(place));
    const payload = { streamId: place.streamId, seq: place.seq, subjectId: subject.subjectId, ct };
    return { subjectId: subject.subjectId, payload, payloadSha256: sha256(ct), newKey };
  }

  /** A subject of its own, for what is not an event's content. Its key goes to the vault with the event that names it first. */
  newSubject(number: string, expiresUs: number): { subjectId: string; key: Buffer } {
    const subject = { subjectId: randomUUID(), dek: randomBytes(32) };
    this.#unnamed.set(subject.subjectId, this.#keyRow(subject, number, expiresUs));
    return { subjectId: subject.subjectId, key: subject.dek };
  }

  /** The key row that must be stored with this event; null when there is none to store. */
  takeKey(subjectId: string | undefined): SubjectKeyRow | null {
    const row = subjectId === undefined ? undefined : this.#unnamed.get(subjectId);
    if (row !== undefined) this.#unnamed.delete(row.subjectId);
    return row ?? null;
  }

  #keyRow({ subjectId, dek }: Subject, number: string | undefined, expiresUs: number): SubjectKeyRow {
    return {
      subjectId,
      numberMac: number === undefined ? null : numberMac(this.#numberKey, number),
      wrappedDek: encrypt(this.#kek.key, dek, Buffer.from(subjectId)),
      kekId: this.#kek.id,
      expiresUs,
    };
  }

  forgetSubject(subjectId: string): void {
    for (const [callId, subject] of this.#calls) if (subject.subjectId === subjectId) this.forget(callId);
  }

  /** Appended records were given up, a key perhaps among them: every call gets a new subject with its next content. */
  forgetAll(): void {
    for (const callId of [...this.#calls.keys()]) this.forget(callId);
  }

  /** The call is over: its key leaves memory. */
  forget(callId: string): void {
    this.#calls.get(callId)?.dek.fill(0);
    this.#calls.delete(callId);
  }
}

export const kekId = (nowUs: number): string => `week-${String(Math.floor(nowUs / WEEK_US))}`;
export const kekFile = (folder: string, id: string): string => join(folder, `kek-${id}.key`);

/** The number without what people write between digits; 00 at the start is +. Null input stays unfindable. */
export function normaliseNumber(number: string): string {
  const bare = number.replace(/[^\d+]/g, '');
  return bare.startsWith('00') ? `+${bare.slice(2)}` : bare;
}

export function numberMac(key: Buffer, number: string): Buffer | null {
  const bare = normaliseNumber(number);
  return bare === '' ? null : createHmac('sha256', key).update(bare).digest();
}

/** uuid stream (16) | int8 seq | type: a payload cannot be moved to another event. */
export function additionalData(place: { streamId: string; seq: number; type: string }): Buffer {
  const seq = Buffer.alloc(8);
  seq.writeBigInt64BE(BigInt(place.seq));
  return Buffer.concat([Buffer.from(place.streamId.replaceAll('-', ''), 'hex'), seq, Buffer.from(place.type)]);
}

/** nonce 12 | ciphertext | tag 16. */
export function encrypt(key: Buffer, plain: Buffer, aad: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(aad);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws when key, place or bytes are not those that were encrypted. */
export function decrypt(key: Buffer, sealed: Buffer, aad: Buffer): Buffer {
  const tag = sealed.subarray(-TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(aad)
    .setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}
