/**
 * The state of open calls, one small file each, replaced at every turn and deleted at the end of the call. It holds what a caller said
 * (slots), so it is encrypted like the spool (AES-256-GCM) under a key of its own. A killed process loses nothing that was renamed into
 * place; a power cut may lose the last turn, and takes the calls with it anyway, so nothing is synced.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeptCall, Logger, OpenCalls } from '../contracts/index.ts';
import type { CallsInLog } from './calls-in-log.ts';
import { readOrCreateKey } from './keys.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** A conversation is some kilobytes. */
const MAX_BYTES = 1024 * 1024;
const NAME = /^[0-9a-f-]{36}\.call$/;

export interface OpenCallsOptions {
  readonly folder: string;
  readonly keyFile: string;
  readonly logger: Logger;
  /** What the spool knows of calls, as the audit log found it at its start. Null: what was kept is believed as it is. */
  readonly inLog: CallsInLog | null;
}

/** Errors: SPOOL_FAILED when the key file is damaged. */
export async function openCallsIn(options: OpenCallsOptions): Promise<OpenCalls> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  return new OpenCallFiles(options, await readOrCreateKey(options.keyFile));
}

class OpenCallFiles implements OpenCalls {
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #key: Buffer;
  readonly #inLog: CallsInLog | null;
  /** What is to be written next, by call; null: deleted. */
  readonly #wanted = new Map<string, KeptCall | null>();
  readonly #busy = new Map<string, Promise<void>>();

  constructor({ folder, logger, inLog }: OpenCallsOptions, key: Buffer) {
    this.#inLog = inLog;
    this.#folder = folder;
    this.#logger = logger;
    this.#key = key;
  }

  keep(call: KeptCall): void {
    this.#want(call.callId, call);
  }

  drop(callId: string): void {
    this.#want(callId, null);
  }

  async settled(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all(this.#busy.values());
  }

  async left(): Promise<readonly KeptCall[]> {
    const names = (await readdir(this.#folder)).filter((name) => NAME.test(name));
    const calls = await Promise.all(names.map((name) => this.#read(join(this.#folder, name))));
    const kept = calls.filter((call) => call !== null);
    if (this.#inLog === null) return kept;
    for (const { callId } of kept) if (this.#inLog.hasEnded(callId)) this.drop(callId);
    return this.#inLog.open(kept);
  }

  /** One write at a time for each call; what is newer meanwhile replaces what waits. */
  #want(callId: string, call: KeptCall | null): void {
    this.#wanted.set(callId, call);
    if (this.#busy.has(callId)) return;
    const work = this.#work(callId).finally(() => this.#busy.delete(callId));
    this.#busy.set(callId, work);
  }

  async #work(callId: string): Promise<void> {
    for (;;) {
      const call = this.#wanted.get(callId);
      if (call === undefined) return;
      this.#wanted.delete(callId);
      try {
        if (call === null) await rm(this.#path(callId), { force: true });
        else await this.#write(call);
      } catch (error) {
        this.#logger.error('the state of a call cannot be kept: a crash would lose its conversation', {
          call: callId,
          reason: error instanceof Error ? error.message : String(error),
        });
      }
    }
  }

  #path(callId: string): string {
    return join(this.#folder, `${callId}.call`);
  }

  async #write(call: KeptCall): Promise<void> {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    cipher.setAAD(Buffer.from(call.callId));
    const sealed = Buffer.concat([nonce, cipher.update(JSON.stringify(call), 'utf8'), cipher.final(), cipher.getAuthTag()]);
    const partial = `${this.#path(call.callId)}.new`;
    await writeFile(partial, sealed, { mode: 0o600 });
    await rename(partial, this.#path(call.callId));
  }

  /** Null when it cannot be read: it is removed then, the call goes to people. */
  async #read(path: string): Promise<KeptCall | null> {
    try {
      const sealed = await readFile(path);
      if (sealed.length > MAX_BYTES || sealed.length < NONCE_BYTES + TAG_BYTES) throw new Error('wrong size');
      const decipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(0, NONCE_BYTES));
      decipher.setAAD(Buffer.from(path.slice(-'00000000-0000-0000-0000-000000000000.call'.length, -'.call'.length)));
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
      const text = Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8');
      const kept = JSON.parse(text) as Omit<KeptCall, 'recordings'> & Partial<KeptCall>;
      // Kept by a version that knew no recordings.
      return { ...kept, recordings: kept.recordings ?? [] };
    } catch (error) {
      this.#logger.error('the kept state of a call is damaged and was removed', {
        reason: error instanceof Error ? error.message : String(error),
      });
      await rm(path, { force: true });
      return null;
    }
  }
}
