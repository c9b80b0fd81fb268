import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ParleyError } from '../contracts/index.ts';
import { callsOfSubjects, eventsOf, storedSubjects, type CallEventRow } from '../store/index.ts';
import { erasedSubjects } from './erased.ts';
import { numberMac } from './vault.ts';
import { findSubjects, openKey, readKey, shipAll, type SubjectDesk } from './subject-desk.ts';

export interface Holding {
  readonly request: string;
  readonly subjects: number;
}

/** Runs a statement as the login dpo. */
export type AsDpo = (sql: string, values: readonly unknown[]) => Promise<unknown>;

/**
 * Sets or lifts a legal hold on a person. `reference` is a file number, never a name. Errors: STORE_DOWN, STORE_REFUSED, SPOOL_FAILED.
 */
export async function holdSubject(
  desk: SubjectDesk,
  number: string,
  hold: { readonly held: true; readonly reference: string } | { readonly held: false },
  as: AsDpo,
): Promise<Holding> {
  const subjects = await findSubjects(desk, number);
  const request = randomUUID();
  for (const { subjectId } of subjects) {
    await desk.audit.append({ type: 'subject.held', callId: null, subjectId, body: { request, held: hold.held } });
    if (hold.held) await as('SELECT vault.hold_subject($1, $2)', [subjectId, hold.reference]);
    else await as('SELECT vault.release_subject($1)', [subjectId]);
  }
  return { request, subjects: subjects.length };
}

export interface Restriction {
  readonly request: string;
  /** Signed note: what was asked for, when, and where the chain says so. Holds no personal data. */
  readonly certificate: string;
}

/**
 * From now on the calls of this number go to people, and what is kept of it is kept but not used (GDPR 18, 21); or that is taken back.
 * Errors: STORE_DOWN, STORE_REFUSED, SPOOL_FAILED, CONFIG_INVALID for what is no number.
 */
export async function restrictSubject(desk: SubjectDesk, number: string, restricted: boolean, as: AsDpo): Promise<Restriction> {
  const mac = numberMac(await readKey(join(desk.keysFolder, 'number.key')), number);
  if (mac === null) throw new ParleyError('CONFIG_INVALID', 'A phone number has digits; nothing was restricted.');
  const request = randomUUID();
  await desk.audit.append({ type: 'subject.restricted', callId: null, body: { request, restricted } });
  await as(restricted ? 'SELECT vault.restrict_number($1)' : 'SELECT vault.unrestrict_number($1)', [mac]);
  const time = new Date(desk.clock.wallUs() / 1000).toISOString();
  const text = `parley.audit/restriction ${desk.audit.writer ?? ''}\nrequest ${request}\ntime ${time}\nrestricted ${restricted ? 'yes' : 'no'}\n`;
  return { request, certificate: desk.audit.sign(text) };
}

/**
 * Writes a person's correction beside what it corrects (GDPR 16): encrypted under the key of the newest call of this number, or of `callId`.
 * Nothing is overwritten; exports show both. Errors: CONFIG_INVALID when nothing is kept of the number; STORE_DOWN, SPOOL_FAILED.
 */
export async function correctSubject(desk: SubjectDesk, number: string, text: string, callId?: string): Promise<Holding> {
  const subjects = await findSubjects(desk, number);
  const places = await desk.store.use((client) =>
    callsOfSubjects(
      client,
      subjects.map((subject) => subject.subjectId),
    ),
  );
  const place = callId === undefined ? places.at(-1) : places.find((each) => each.callId === callId);
  const subject = subjects.find((each) => each.subjectId === place?.subjectId);
  if (place === undefined || subject === undefined) {
    throw new ParleyError('CONFIG_INVALID', 'Nothing is kept of this number (or call): there is nothing to correct.');
  }
  const { subjectId } = subject;
  const dek = await openKey(desk, subject);
  const request = randomUUID();
  await desk.audit.append(
    { type: 'subject.corrected', callId: place.callId, body: { request }, content: { correction: text } },
    { subjectId, dek },
  );
  await shipAll(desk);
  return { request, subjects: 1 };
}

export interface ConsentHistory {
  readonly request: string;
  /** Notices, questions and answers of all kept calls of this number, oldest first. */
  readonly events: readonly Pick<CallEventRow, 'callId' | 'tsUs' | 'type' | 'body'>[];
}

const CONSENT = /^(notice\.|consent$|recording\.|memory\.)/;

/** What this person was told and agreed to (GDPR 7(1)). That it was looked up is in the chain first. */
export async function consentsOfSubject(desk: SubjectDesk, number: string): Promise<ConsentHistory> {
  const subjects = await findSubjects(desk, number);
  const request = randomUUID();
  await desk.audit.append({ type: 'content.read', callId: null, body: { request, purpose: 'consents', payloads: 0 } });
  const events = await desk.store.use((client) =>
    eventsOf(
      client,
      subjects.map((subject) => subject.subjectId),
    ),
  );
  const found = events.filter(({ type }) => CONSENT.test(type)).sort((a, b) => a.tsUs - b.tsUs);
  return { request, events: found.map(({ callId, tsUs, type, body }) => ({ callId, tsUs, type, body })) };
}

/**
 * After a restore from a backup: whoever was erased since the backup was made and is there again is announced and erased again. Returns how
 * many. Run by the gateway at its start; safe at any time. Errors: STORE_DOWN, SPOOL_FAILED.
 */
export async function replayErasures(desk: SubjectDesk): Promise<number> {
  const ids = await erasedSubjects(desk.keysFolder);
  if (ids.length === 0) return 0;
  const back = (await desk.store.use((client) => storedSubjects(client, ids))).filter(({ held }) => !held);
  if (back.length === 0) return 0;
  const request = randomUUID();
  const throughUs = Math.round(desk.clock.wallUs());
  for (const { subjectId } of back) {
    await desk.audit.append({ type: 'subject.erased', callId: null, subjectId, body: { request, reason: 'restored backup', throughUs } });
  }
  await shipAll(desk);
  await desk.store.eraseAnnounced();
  return back.length;
}
