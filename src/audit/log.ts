import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ParleyError, type AuditLog, type CallEvent, type Clock, type Logger } from '../contracts/index.ts';
import type { EventRow, Store, StreamRow } from '../store/index.ts';
import { dayOf, eventHash, genesisHash, ZERO_HASH } from './chain.ts';
import { Checkpoints } from './checkpoints.ts';
import { lockFolder } from './folder-lock.ts';
import { makeFolder, readOrCreateSigner, type Signer, writeSynced } from './keys.ts';
import { NOTE_NAME, signNote } from './note.ts';
import { encodeEvent, encodeKey, encodePayload, encodeStream, type Head } from './records.ts';
import { Shipper } from './shipper.ts';
import { streamMessage } from './signing.ts';
import { Spool } from './spool.ts';
import type { Replay } from './spool-replay.ts';
import type { SyslogOptions } from './syslog.ts';
import { Vault } from './vault.ts';

export interface AuditOptions {
  /** The spool: segments, lock, reserve. Made when missing. */
  readonly folder: string;
  /** Key files, mode 0600. Default: `keys` in the folder. Keep a copy elsewhere: without them nothing of the vault can be read. */
  readonly keysFolder?: string;
  /** Name of this gateway: letters, digits, dot, dash. */
  readonly gateway: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** What a person said or who he is: thrown away, or kept encrypted for so many days. Default: thrown away. */
  readonly content?: 'discard' | { readonly retentionDays: number };
  /** Subjects of their own are made, with `newSubject`: a vault is there even when content is thrown away. Default false. */
  readonly ownSubjects?: boolean;
  /** Applied to what is kept of a person's words, before it is encrypted; never to the number that called. Default: as it is. */
  readonly mask?: (text: string) => string;
  /** Where checkpoints go besides the database. Default: `anchors.txt` in the folder. */
  readonly anchorFile?: string;
  /** Program and arguments that also get each checkpoint, on standard input. */
  readonly anchorCommand?: readonly string[];
  /** Collector that also gets each checkpoint, by syslog over TLS. */
  readonly anchorSyslog?: SyslogOptions;
  readonly checkpointMs?: number;
  readonly checkpointEvents?: number;
  /** Bound of the spool on disk. */
  readonly maxBytes?: number;
  readonly reservedBytes?: number;
  readonly segmentBytes?: number;
  readonly keepShippedBytes?: number;
  readonly batchEvents?: number;
}

/** Whose key content is sealed with when the call is over. */
export interface KnownSubject {
  readonly subjectId: string;
  readonly dek: Buffer;
  /** The content is masked already, as far as it may be. */
  readonly masked?: boolean;
}

export interface Audit extends AuditLog {
  /** As AuditLog says; `known` seals the content under the key of a subject of an earlier time. */
  append(event: CallEvent, known?: KnownSubject): Promise<void>;
  /** Replays the spool, opens the chain's next stream at the first event, and ships. Errors: SPOOL_FAILED. */
  start(): Promise<void>;
  /** Ships what it can within `limitMs` (2 s), makes a last checkpoint, closes. Later appends are refused. */
  stop(limitMs?: number): Promise<void>;
  /** Resolves true when all that was appended is in Postgres, false when `limitMs` passed before. */
  shipped(limitMs: number): Promise<boolean>;
  /** Signs a text with the gateway's key as a note (C2SP signed-note): certificates. */
  sign(text: string): string;
  /**
   * A subject beside the calls': its key encrypts what is kept elsewhere, and goes when the subject is erased or its time is over. The
   * first event that names it takes the key to the vault. Errors: SPOOL_FAILED without `ownSubjects`.
   */
  newSubject(options: { readonly number: string; readonly retentionDays: number }): { readonly subjectId: string; readonly key: Buffer };
  /** True when only the end of calls can still be logged: new calls follow audit.whenFull. */
  readonly full: boolean;
  /** Name of this log in the chain: gateway/random; null before start. */
  readonly writer: string | null;
  /** What the start found on disk; null before it. */
  readonly replay: Replay | null;
}

/** What may still be logged when the spool is full: how calls end. */
const ALWAYS = new Set<string>([
  'spool.full',
  'clock.step',
  'call.ended',
  'call.recovered',
  'gateway.draining',
  'gateway.stopped',
  'transfer.requested',
  'transfer.failed',
]);
/** Of `call.incoming`: by it a person is found again. */
const CALLER_NUMBER = 'from';
/** A wall clock that moves more than this against the monotonic one, between two events, was set. */
const STEP_US = 1_000_000;
const MAX_BODY_CHARS = 1024 * 1024;
const UPKEEP_MS = 10_000;
const SHIPPED_POLL_MS = 5;

export function createAudit(options: AuditOptions): Audit {
  return new SpooledAudit(options);
}

interface Running {
  readonly writer: string;
  readonly signer: Signer;
  readonly spool: Spool;
  readonly shipper: Shipper;
  readonly checkpoints: Checkpoints;
  readonly vault: Vault | null;
  readonly unlock: () => Promise<void>;
}

interface EventMoment {
  readonly tsUs: number;
  readonly monoUs: number;
  readonly body: string;
  readonly known?: KnownSubject | undefined;
}

class SpooledAudit implements Audit {
  readonly #options: AuditOptions;
  readonly #log: Logger;
  #running: Running | null = null;
  #head: Head | null = null;
  /** Streams of this boot: another boot's is pinned, never continued. */
  readonly #own = new Set<string>();
  #failed = false;
  #saidFull = false;
  #upkeep: NodeJS.Timeout | null = null;
  replay: Replay | null = null;

  constructor(options: AuditOptions) {
    if (!/^[A-Za-z0-9.-]{1,60}$/.test(options.gateway)) {
      throw new ParleyError('CONFIG_INVALID', `The gateway's name "${options.gateway}" may hold letters, digits, dots and dashes only.`);
    }
    this.#options = options;
    this.#log = options.log.child({ part: 'audit' });
  }

  get writer(): string | null {
    return this.#running?.writer ?? null;
  }

  get backlog(): number {
    return this.#running?.shipper.backlog ?? 0;
  }

  get full(): boolean {
    return this.#running?.spool.full ?? false;
  }

  get healthy(): boolean {
    return this.#running !== null && !this.#failed && !this.full && this.#running.shipper.refused === null;
  }

  async start(): Promise<void> {
    const { folder, store, clock } = this.#options;
    const keysFolder = this.#options.keysFolder ?? join(folder, 'keys');
    await makeFolder(folder);
    const unlock = await lockFolder(folder);
    try {
      const signer = await readOrCreateSigner(keysFolder, NOTE_NAME);
      const { spool, replay } = await Spool.open({
        folder,
        keyFile: join(keysFolder, 'spool.key'),
        maxBytes: this.#options.maxBytes ?? 2 * 1024 ** 3,
        reservedBytes: this.#options.reservedBytes ?? 64 * 1024 ** 2,
        segmentBytes: this.#options.segmentBytes ?? 16 * 1024 ** 2,
      });
      const writer = await readOrCreateWriter(folder, this.#options.gateway, replay.head?.writer ?? null);
      const { content = 'discard', ownSubjects = false } = this.#options;
      const retentionDays = content === 'discard' ? 0 : content.retentionDays;
      const vault = retentionDays > 0 || ownSubjects ? await Vault.open({ keysFolder, retentionDays }, clock.wallUs()) : null;
      const checkpoints = this.#makeCheckpoints(signer);
      const shipper = new Shipper(
        { batchEvents: this.#options.batchEvents ?? 2000, keepShippedBytes: this.#options.keepShippedBytes ?? 64 * 1024 ** 2 },
        { spool, store, checkpoints, clock, log: this.#log },
      );
      spool.onDiscard((head) => {
        this.#head = head;
        vault?.forgetAll();
      });
      spool.onDurable(() => shipper.notify());
      this.#head = replay.head;
      this.#running = { writer, signer, spool, shipper, checkpoints, vault, unlock };
      this.replay = replay;
      this.#upkeep = setInterval(() => void this.#recover(spool), UPKEEP_MS).unref();
      await shipper.start();
      await this.#reportReplay(replay);
    } catch (error) {
      await unlock();
      this.#running = null;
      throw error;
    }
  }

  #makeCheckpoints(signer: Signer): Checkpoints {
    const { folder, anchorFile, anchorCommand, anchorSyslog, gateway, checkpointMs, checkpointEvents, store, clock } = this.#options;
    const anchors = { file: anchorFile ?? join(folder, 'anchors.txt'), command: anchorCommand, syslog: anchorSyslog, gateway };
    return new Checkpoints(
      { anchors, everyMs: checkpointMs ?? 60_000, everyEvents: checkpointEvents ?? 10_000 },
      { signer, store, log: this.#log, nowUs: clock.monoUs() },
    );
  }

  async #reportReplay(replay: Replay): Promise<void> {
    for (const damage of replay.corrupt)
      this.#log.error('damaged bytes in the spool', { code: 'SPOOL_CORRUPT', path: damage.path, at: damage.at });
    if (replay.tornBytes === 0 && replay.corrupt.length === 0) return;
    const body = { segments: replay.segments, events: replay.events, tornBytes: replay.tornBytes, damaged: replay.corrupt.length };
    await this.append({ type: 'spool.recovered', callId: null, body });
  }

  async stop(limitMs = 2000): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    if (this.#upkeep !== null) clearInterval(this.#upkeep);
    await running.spool.settled();
    await running.shipper.stop(limitMs);
    await running.checkpoints.make(this.#options.clock.monoUs());
    await running.spool.close();
    await running.unlock();
  }

  async shipped(limitMs: number): Promise<boolean> {
    const running = this.#running;
    await running?.spool.settled();
    for (let waitedMs = 0; this.backlog > 0; waitedMs += SHIPPED_POLL_MS) {
      if (running === null || waitedMs >= limitMs) return false;
      running.shipper.hurry();
      await sleep(SHIPPED_POLL_MS);
    }
    return running !== null;
  }

  sign(text: string): string {
    if (this.#running === null) throw new ParleyError('SPOOL_FAILED', 'The audit log is not running.');
    return signNote(text, this.#running.signer);
  }

  newSubject({ number, retentionDays }: { readonly number: string; readonly retentionDays: number }): { subjectId: string; key: Buffer } {
    const vault = this.#running?.vault ?? null;
    if (vault === null) throw new ParleyError('SPOOL_FAILED', 'The audit log keeps no subjects of their own, or is not running.');
    return vault.newSubject(number, Math.round(this.#options.clock.wallUs()) + retentionDays * 86_400_000_000);
  }

  async append(event: CallEvent, known?: KnownSubject): Promise<void> {
    const running = this.#running;
    if (running === null) throw new ParleyError('SPOOL_FAILED', 'The audit log is not running.');
    if (running.spool.full && !ALWAYS.has(event.type)) {
      this.#sayFull(running);
      throw new ParleyError(
        'SPOOL_FAILED',
        `The spool in ${this.#options.folder} is full (${running.spool.bytes} bytes wait for Postgres).`,
      );
    }
    const body = storableBody(event);
    try {
      await this.#record(running, event, body, known);
      this.#failed = false;
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  /** Hash, encrypt, hand to the spool: all in one turn of the loop, so that the order of calls is the order of the chain. */
  #record(running: Running, event: CallEvent, body: string, known?: KnownSubject): Promise<void> {
    const tsUs = Math.round(this.#options.clock.wallUs());
    const monoUs = Math.round(this.#options.clock.monoUs());
    const lines: string[] = [];
    let head = this.#openStream(running, dayOf(tsUs), lines);
    let events = 1;
    if (head.tsUs !== null && head.monoUs !== null) {
      const stepUs = tsUs - head.tsUs - (monoUs - head.monoUs);
      if (Math.abs(stepUs) > STEP_US) {
        const step: CallEvent = { type: 'clock.step', callId: null, body: { stepMs: Math.round(stepUs / 1000) } };
        head = this.#addEvent(running, head, step, { tsUs, monoUs, body: JSON.stringify(step.body) }, lines);
        events = 2;
      }
    }
    head = this.#addEvent(running, head, event, { tsUs, monoUs, body, known }, lines);
    this.#head = head;
    const durable = running.spool.append(lines, events, head);
    // A caller who is erased while he talks: what he says from now on belongs to a new subject.
    if (event.type === 'subject.erased' && event.subjectId !== undefined) running.vault?.forgetSubject(event.subjectId);
    if (event.type === 'call.ended' && event.callId !== null) running.vault?.forget(event.callId);
    return durable;
  }

  #addEvent(running: Running, head: Head, event: CallEvent, at: EventMoment, lines: string[]): Head {
    const { body } = at;
    const place = { streamId: head.streamId, seq: head.seq + 1, type: event.type, tsUs: at.tsUs };
    const { vault } = running;
    const { callId, content } = event;
    const { content: keep = 'discard' } = this.#options;
    const sealed =
      (keep !== 'discard' || at.known !== undefined) && vault !== null && callId !== null && content !== undefined
        ? vault.seal({ ...place, callId }, at.known?.masked === true ? content : this.#masked(content), at.known)
        : null;
    const parts = {
      ...{ streamId: place.streamId, seq: place.seq, tsUs: at.tsUs, monoUs: at.monoUs, callId, type: event.type, body },
      subjectId: sealed?.subjectId ?? event.subjectId ?? null,
      payloadSha256: sealed?.payloadSha256 ?? null,
    };
    const row: EventRow = { ...parts, day: head.day, hash: eventHash(head.hash, parts) };
    lines.push(encodeEvent(row));
    for (const key of [sealed?.newKey, vault?.takeKey(event.subjectId)]) if (key != null) lines.push(encodeKey(key));
    if (sealed !== null) lines.push(encodePayload(sealed.payload));
    return { ...head, seq: row.seq, hash: row.hash, tsUs: row.tsUs, monoUs: row.monoUs };
  }

  #masked(content: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const { mask } = this.#options;
    if (mask === undefined) return content;
    return Object.fromEntries(Object.entries(content).map(([key, text]) => [key, key === CALLER_NUMBER ? text : mask(text)]));
  }

  /** The open stream of this day, or the next one, which pins how the last ended. */
  #openStream(running: Running, day: string, lines: string[]): Head {
    const last = this.#head;
    if (last !== null && last.day === day && this.#own.has(last.streamId)) return last;
    const parts = {
      streamId: randomUUID(),
      writer: running.writer,
      ordinal: (last?.ordinal ?? 0) + 1,
      day,
      prevLastSeq: last?.seq ?? 0,
      prevLastHash: last?.hash ?? ZERO_HASH,
    };
    const genesis = genesisHash(parts);
    const row: StreamRow = { ...parts, genesis, sig: running.signer.sign(streamMessage(genesis)) };
    lines.push(encodeStream(row));
    this.#own.add(row.streamId);
    running.vault?.renewKek(this.#options.clock.wallUs()).catch((error: unknown) => {
      this.#log.error('the key of the week could not be made', { why: String(error) });
    });
    return { writer: row.writer, ordinal: row.ordinal, streamId: row.streamId, day, seq: 0, hash: genesis, tsUs: null, monoUs: null };
  }

  async #recover(spool: Spool): Promise<void> {
    await spool.refillReserve();
    if (!spool.full) this.#saidFull = false;
  }

  #sayFull(running: Running): void {
    if (this.#saidFull) return;
    this.#saidFull = true;
    this.#log.error('the spool is full', { code: 'SPOOL_FAILED', bytes: running.spool.bytes });
    const full: CallEvent = { type: 'spool.full', callId: null, body: { bytes: running.spool.bytes } };
    this.#record(running, full, JSON.stringify(full.body)).catch(() => undefined);
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ZERO_UUID = '00000000-0000-0000-0000-000000000000';

/**
 * The body as text, fit for Postgres: one event that it refuses would hold up all that come after, so it must not get into the
 * spool. Postgres reads the body as jsonb where it must look inside, and that knows neither U+0000 nor half a surrogate pair.
 */
function storableBody(event: CallEvent): string {
  for (const id of [event.callId, event.subjectId ?? null]) {
    if (id !== null && (!UUID.test(id) || id === ZERO_UUID))
      throw new ParleyError('SPOOL_FAILED', `An id of ${event.type} is no uuid in lower case.`);
  }
  const json = JSON.stringify(event.body);
  if (json.length > MAX_BODY_CHARS)
    throw new ParleyError('SPOOL_FAILED', `The body of ${event.type} is too long (${json.length} characters).`);
  return json.includes('\\u')
    ? json.replace(/\\(?:\\|u0000|ud[89a-f][0-9a-f]{2})/g, (found) => (found === '\\\\' ? found : '\\ufffd'))
    : json;
}

/**
 * A spool folder that was lost and made again gets another name: its chain starts anew and cannot collide with the lost one's. `known`:
 * the name in the chain, for a folder whose file a power cut has emptied.
 */
async function readOrCreateWriter(folder: string, gateway: string, known: string | null): Promise<string> {
  const path = join(folder, 'writer');
  const there = await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return '';
  });
  if (there.trim() !== '') return there.trim();
  const writer = known ?? `${gateway}/${randomBytes(4).toString('hex')}`;
  await writeSynced(path, `${writer}\n`);
  return writer;
}
