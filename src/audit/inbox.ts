/**
 * What callers left for people. Each item is a subject of its own in the vault, found by the MAC of the number that called: it goes with the
 * person who is erased, and when its time is over. Reading one is in the log before it is opened.
 */
import { randomUUID } from 'node:crypto';
import {
  type Clock,
  type Inbox,
  INBOX_KINDS,
  type InboxGiven,
  type InboxItem,
  type InboxKind,
  type InboxLine,
  ParleyError,
} from '../contracts/index.ts';
import { dueItems, inboxItems, type Store, type StoredItem } from '../store/index.ts';
import type { Audit } from './log.ts';
import { openKey } from './subject-desk.ts';
import { additionalData, decrypt } from './vault.ts';

export interface InboxOptions {
  /** With `ownSubjects`. */
  readonly audit: Audit;
  readonly store: Pick<Store, 'use'>;
  readonly clock: Clock;
  readonly keysFolder: string;
  /** How long an item lives; nothing older is shown. */
  readonly days: number;
  /** What is kept of a caller's own words. Numbers and addresses that he was asked for are kept as they are. */
  readonly mask?: (text: string) => string;
}

/** Who dealt with an item, and what came of it. Content. */
export interface Dealt {
  readonly by?: string;
  readonly note?: string;
}

export interface DeskInbox extends Inbox {
  /** Open ones, or all, oldest first. Errors: STORE_DOWN. */
  list(all: boolean): Promise<readonly InboxLine[]>;
  /**
   * One, by its id, the beginning of it or its reference; without a name all that are open. Errors: INBOX_ITEM, CONTENT_REFUSED, STORE_DOWN,
   * SPOOL_FAILED.
   */
  show(name?: string): Promise<{ readonly request: string; readonly items: readonly InboxItem[] }>;
  /** False when it had been done before. Errors as of `show`. */
  done(name: string, dealt: Dealt): Promise<{ readonly item: string; readonly done: boolean }>;
  /** In the log before somebody is told of it. */
  telling(item: string, kind: string, why: 'received' | 'due'): Promise<void>;
  /** Open ones whose day has come and of which nobody was told on it. */
  due(today: string): Promise<readonly { readonly item: string; readonly kind: string }[]>;
}

const DAY_US = 86_400_000_000;
const TYPE = 'inbox.received';
const MOST_ITEMS = 10_000;
const FIELD = 'item.';
const SHIP_LIMIT_MS = 10_000;
/** What a caller was asked for and needs to be answered: a number or an address, and nothing else. */
const ASKED = /^(\+?[\d ()/.-]{1,40}|[^\s@]{1,100}@[^\s@]{1,100})$/;

export function openInbox(options: InboxOptions): DeskInbox {
  return new VaultInbox(options);
}

class VaultInbox implements DeskInbox {
  readonly #options: InboxOptions;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  async put({ kind, callId, number, fields, due }: InboxGiven): Promise<{ item: string; reference: string }> {
    const { audit, days } = this.#options;
    const { subjectId, key } = audit.newSubject({ number, retentionDays: days });
    const kept = Object.entries(fields).map(([name, text]) => [`${FIELD}${name}`, this.#masked(text)]);
    const content = { from: number, ...(Object.fromEntries(kept) as Record<string, string>) };
    const body = { kind, due, fields: kept.length };
    await audit.append({ type: TYPE, callId, subjectId, body, content }, { subjectId, dek: key, masked: true });
    return { item: subjectId, reference: referenceOf(subjectId) };
  }

  async list(all: boolean): Promise<readonly InboxLine[]> {
    return (await this.#stored(all)).map(lineOf);
  }

  async show(name?: string): Promise<{ request: string; items: readonly InboxItem[] }> {
    const rows = name === undefined ? (await this.#stored(false)).filter(({ restricted }) => !restricted) : [await this.#named(name)];
    const request = randomUUID();
    const about = rows.length === 1 ? (rows[0]?.callId ?? null) : null;
    await this.#options.audit.append({
      type: 'content.read',
      callId: about,
      body: { request, purpose: 'inbox', payloads: rows.length },
    });
    const items = [];
    for (const row of rows) items.push(await this.#opened(row));
    return { request, items };
  }

  async done(name: string, { by, note }: Dealt): Promise<{ item: string; done: boolean }> {
    const { audit } = this.#options;
    const row = await this.#named(name, true);
    if (row.doneUs !== null) return { item: row.subjectId, done: false };
    const { subjectId, callId } = row;
    const { kind } = lineOf(row);
    const dek = await openKey(this.#options, row);
    const content = { ...(by === undefined ? {} : { by }), ...(note === undefined ? {} : { note }) };
    const said = Object.keys(content).length > 0;
    await audit.append({ type: 'inbox.done', callId, subjectId, body: { kind }, ...(said ? { content } : {}) }, { subjectId, dek });
    return { item: subjectId, done: true };
  }

  async telling(item: string, kind: string, why: 'received' | 'due'): Promise<void> {
    await this.#options.audit.append({ type: 'inbox.told', callId: null, subjectId: item, body: { kind, why } });
  }

  async due(today: string): Promise<readonly { item: string; kind: string }[]> {
    return this.#options.store.use((client) => dueItems(client, today, this.#sinceUs()));
  }

  async #stored(all: boolean): Promise<readonly StoredItem[]> {
    const { audit, store } = this.#options;
    // What was left a moment ago is not missing.
    if (!(await audit.shipped(SHIP_LIMIT_MS)))
      throw new ParleyError(
        'STORE_DOWN',
        `${audit.backlog} events still wait for Postgres, items of the inbox among them perhaps; try again.`,
      );
    return store.use((client) => inboxItems(client, { sinceUs: this.#sinceUs(), all, limit: MOST_ITEMS }));
  }

  async #named(name: string, mayBeRestricted = false): Promise<StoredItem> {
    const rows = await this.#stored(true);
    const found = rows.filter(({ subjectId }) => subjectId === name || referenceOf(subjectId) === name);
    const near = found.length > 0 || name.length < 4 ? found : rows.filter(({ subjectId }) => subjectId.startsWith(name));
    // Of two with one reference the open one is meant.
    const open = near.filter(({ doneUs }) => doneUs === null);
    const [row, other] = open.length === 0 ? near : open;
    if (row === undefined) throw new ParleyError('INBOX_ITEM', `There is no item ${name} in the inbox.`);
    if (other !== undefined)
      throw new ParleyError('INBOX_ITEM', `More than one item is meant by ${name}: ${near.map(({ subjectId }) => subjectId).join(', ')}.`);
    if (row.restricted && !mayBeRestricted) await this.#refuse(row);
    return row;
  }

  async #refuse({ callId, subjectId }: StoredItem): Promise<never> {
    const request = randomUUID();
    await this.#options.audit.append({ type: 'content.refused', callId, body: { request, purpose: 'inbox', why: 'restricted' } });
    throw new ParleyError(
      'CONTENT_REFUSED',
      `Item ${subjectId} was not read: its use is restricted (GDPR 18). The log names this as request ${request}.`,
    );
  }

  async #opened(row: StoredItem): Promise<InboxItem> {
    const key = await openKey(this.#options, row);
    const content = JSON.parse(decrypt(key, row.ct, additionalData({ ...row, type: TYPE })).toString('utf8')) as Record<string, string>;
    const fields = Object.entries(content).filter(([name]) => name.startsWith(FIELD));
    return {
      ...lineOf(row),
      from: content['from'] ?? '',
      fields: Object.fromEntries(fields.map(([name, text]) => [name.slice(FIELD.length), text])),
    };
  }

  #sinceUs(): number {
    return Math.round(this.#options.clock.wallUs()) - this.#options.days * DAY_US;
  }

  #masked(text: string): string {
    const { mask } = this.#options;
    return mask === undefined || ASKED.test(text) ? text : mask(text);
  }
}

/** Six digits that can be said on the telephone. Not unique for ever: among the open items of a desk it nearly always is. */
function referenceOf(item: string): string {
  return String(Number.parseInt(item.slice(0, 8), 16) % 1_000_000).padStart(6, '0');
}

function lineOf({ subjectId, callId, tsUs, doneUs, restricted, body }: StoredItem): InboxLine {
  const { kind, due } = JSON.parse(body) as { kind: string; due: string | null };
  const known: InboxKind = INBOX_KINDS.find((one) => one === kind) ?? 'note';
  return { item: subjectId, reference: referenceOf(subjectId), kind: known, callId, atUs: tsUs, due, doneUs, restricted };
}
