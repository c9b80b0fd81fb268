/**
 * What contacts are remembered by, from call to call. Each memory is a subject of its own in the vault, found by the MAC of the number: it
 * goes with the person who is erased, and when its time is over. Reading it is in the log before it is opened.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type CallMemory, type Clock, type FinishedCall, ParleyError, type Recalled, REMEMBER_ME } from '../contracts/index.ts';
import { isRestricted, memoriesOf, type StoredMemory, type Store } from '../store/index.ts';
import { rememberErased } from './erased.ts';
import { readOrCreateKey } from './keys.ts';
import type { Audit } from './log.ts';
import { openKey } from './subject-desk.ts';
import { additionalData, decrypt, normaliseNumber, numberMac } from './vault.ts';

export interface MemoryOptions {
  /** With `ownSubjects`. */
  readonly audit: Audit;
  readonly store: Pick<Store, 'use' | 'state'>;
  readonly clock: Clock;
  readonly keysFolder: string;
  /** How long a memory lives; nothing older is used. */
  readonly days: number;
  /** Art. 6(1) GDPR, as the configuration names it. 'consent' keeps nothing before the contact has agreed. */
  readonly basis: string;
}

const DAY_US = 86_400_000_000;
/** The newest calls of a contact; what an older one alone says is forgotten. */
const MOST_CALLS = 50;
const MOST_SUBJECTS = 100_000;
const SHIP_LIMIT_MS = 10_000;
const TYPE = 'memory.kept';

/** Errors: CONFIG_INVALID when the key of numbers cannot be read. */
export async function openMemory(options: MemoryOptions): Promise<CallMemory> {
  const numberKey = await readOrCreateKey(join(options.keysFolder, 'number.key'));
  return new VaultMemory(options, numberKey);
}

class VaultMemory implements CallMemory {
  readonly #options: MemoryOptions;
  readonly #numberKey: Buffer;

  constructor(options: MemoryOptions, numberKey: Buffer) {
    this.#options = options;
    this.#numberKey = numberKey;
  }

  async recall({ callId, number }: { callId: string; number: string }): Promise<Recalled | null> {
    const { audit, store, clock, days } = this.#options;
    const mac = numberMac(this.#numberKey, number);
    if (mac === null || store.state !== 'up') return null;
    const nowUs = Math.round(clock.wallUs());
    const rows = await store.use((client) => memoriesOf(client, mac, nowUs - days * DAY_US, MOST_CALLS));
    const [newest] = rows;
    if (newest === undefined) {
      // Something may be kept and not used: that it was asked for is in the log.
      if (await store.use((client) => isRestricted(client, mac)))
        await audit.append({ type: 'content.refused', callId, body: { request: randomUUID(), purpose: 'memory', why: 'restricted' } });
      return null;
    }
    await audit.append({ type: 'content.read', callId, body: { request: randomUUID(), purpose: 'memory', payloads: rows.length } });
    const contents = await this.#opened(rows);
    const { outcome } = JSON.parse(newest.body) as { outcome: string };
    const daysSince = Math.max(0, Math.floor((nowUs - newest.tsUs) / DAY_US));
    return { contact: contactOf(contents), history: { calls: rows.length, lastOutcome: outcome, daysSince } };
  }

  async keep(call: FinishedCall): Promise<void> {
    const { audit, basis, days } = this.#options;
    const { callId, number, outcome, values, slots, summary, agreedBefore } = call;
    if (normaliseNumber(number) === '') return;
    const said = values[REMEMBER_ME];
    if (said === 'false') {
      await this.#forget(number);
      return;
    }
    const agreed = said === 'true' ? ('now' as const) : agreedBefore === 'true' ? ('earlier' as const) : null;
    if (basis === 'consent' && agreed === null) return;
    const { subjectId, key } = audit.newSubject({ number, retentionDays: days });
    const body = { outcome, values: Object.keys(values).length, slots: Object.keys(slots).length, basis, agreed };
    const content = { summary, ...prefixed('value.', values), ...prefixed('slot.', slots) };
    await audit.append({ type: TYPE, callId, subjectId, body, content }, { subjectId, dek: key });
  }

  /** The contact takes it back: every memory is erased, as for a person who asks for it. Errors: STORE_DOWN. */
  async #forget(number: string): Promise<void> {
    const { audit, store, clock, keysFolder } = this.#options;
    const mac = numberMac(this.#numberKey, number);
    if (mac === null) return;
    if (!(await audit.shipped(SHIP_LIMIT_MS))) throw new ParleyError('STORE_DOWN', 'Memories that wait for Postgres cannot be erased.');
    const rows = await store.use((client) => memoriesOf(client, mac, 0, MOST_SUBJECTS));
    const ids = rows.map(({ subjectId }) => subjectId);
    const body = { request: randomUUID(), reason: 'not to be remembered', throughUs: Math.round(clock.wallUs()) };
    // The shipper erases what the chain announces.
    for (const subjectId of ids) await audit.append({ type: 'subject.erased', callId: null, subjectId, body });
    if (ids.length > 0) await rememberErased(keysFolder, ids);
  }

  /** Newest first. One whose key is gone is no memory any more. */
  async #opened(rows: readonly StoredMemory[]): Promise<readonly Readonly<Record<string, string>>[]> {
    const contents = [];
    for (const row of rows) {
      const key = await openKey(this.#options, row).catch(() => null);
      if (key === null) continue;
      const plain = decrypt(key, row.ct, additionalData({ ...row, type: TYPE })).toString('utf8');
      contents.push(JSON.parse(plain) as Record<string, string>);
    }
    return contents;
  }
}

/** The newest value wins; of the last call also its summary, and its slots as last_NAME. */
function contactOf(contents: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [last = {}] = contents;
  const { summary = '' } = last;
  const values = contents.toReversed().map((content) => unprefixed('value.', content));
  const slots = Object.entries(unprefixed('slot.', last)).map(([name, value]) => [`last_${name}`, value]);
  return { summary, ...(Object.fromEntries(slots) as Record<string, string>), ...(Object.assign({}, ...values) as Record<string, string>) };
}

function prefixed(prefix: string, given: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [`${prefix}${name}`, value]));
}

function unprefixed(prefix: string, given: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.entries(given).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value]));
}
