import { randomUUID } from 'node:crypto';
import { ParleyError } from '../contracts/index.ts';
import { eventsOf, payloadsOf, type StoredPayload, type SubjectRow } from '../store/index.ts';
import { rememberErased } from './erased.ts';
import { findSubjects, openKey, shipAll, type SubjectDesk } from './subject-desk.ts';
import { allowSubject, FOR_THE_PERSON, type ReadFor } from './use.ts';
import { additionalData, decrypt } from './vault.ts';
import { toVCons, type VCon } from './vcon.ts';

export interface Erasure {
  /** Names the request in the chain. */
  readonly request: string;
  readonly subjects: number;
  /** Subjects under legal hold: announced, but kept until the hold is lifted. */
  readonly held: number;
  /** Signed note: what was erased, when, and where the chain says so. Holds no personal data. */
  readonly certificate: string;
}

/**
 * Erases a person (GDPR 17): announces every subject with this number in the chain, then key and ciphertext are deleted. The order
 * is the point: what is announced is deleted by the next start at the latest, also after a crash in between.
 * Errors: STORE_DOWN (try again: it does no harm), SPOOL_FAILED.
 */
export async function eraseSubject(desk: SubjectDesk, number: string, reason: string): Promise<Erasure> {
  const subjects = await findSubjects(desk, number);
  const request = randomUUID();
  const throughUs = Math.round(desk.clock.wallUs());
  for (const { subjectId } of subjects) {
    await desk.audit.append({ type: 'subject.erased', callId: null, subjectId, body: { request, reason, throughUs } });
  }
  await rememberErased(
    desk.keysFolder,
    subjects.map((subject) => subject.subjectId),
  );
  // The shipper deletes what it carries as announced; once more here, so that "done" is not a matter of time.
  await shipAll(desk);
  await desk.store.eraseAnnounced();
  const left = await findSubjects(desk, number);
  const held = left.filter((subject) => subject.held).length;
  if (left.length > held)
    throw new ParleyError(
      'STORE_REFUSED',
      `${left.length - held} subjects of request ${request} are still there; see the log of the store.`,
    );
  return {
    request,
    subjects: subjects.length,
    held,
    certificate: desk.audit.sign(certificate(desk, request, throughUs, subjects.length, held)),
  };
}

function certificate(desk: SubjectDesk, request: string, throughUs: number, subjects: number, held: number): string {
  const at = new Date(throughUs / 1000).toISOString();
  return `parley.audit/erasure ${desk.audit.writer ?? ''}\nrequest ${request}\ntime ${at}\nerased ${subjects - held}\nheld ${held}\n`;
}

export interface Export {
  readonly request: string;
  /** One per call, IETF vCon (draft-ietf-vcon-vcon-core-04). */
  readonly vcons: readonly VCon[];
}

/**
 * Everything that is kept about a person (GDPR 15, 20). The chain says that it was read, and for whom, before it is read.
 * Errors: CONTENT_REFUSED for work while the number is restricted; STORE_DOWN, SPOOL_FAILED.
 */
export async function exportSubject(desk: SubjectDesk, number: string, reading: ReadFor = FOR_THE_PERSON): Promise<Export> {
  await allowSubject(desk, number, reading);
  const subjects = await findSubjects(desk, number);
  const ids = subjects.map((subject) => subject.subjectId);
  const payloads = await desk.store.use((client) => payloadsOf(client, ids));
  const events = await desk.store.use((client) => eventsOf(client, ids));
  const request = randomUUID();
  const calls = new Set(events.map((event) => event.callId)).size;
  await desk.audit.append({ type: 'subject.exported', callId: null, body: { request, calls, payloads: payloads.length, ...reading } });
  const contents = await openPayloads(desk, subjects, payloads);
  return { request, vcons: toVCons(events, contents, new Date(desk.clock.wallUs() / 1000)) };
}

/** Where a payload belongs. */
export const placeOf = (streamId: string, seq: number): string => `${streamId} ${String(seq)}`;

async function openPayloads(
  desk: SubjectDesk,
  subjects: readonly SubjectRow[],
  payloads: readonly StoredPayload[],
): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
  const deks = new Map<string, Buffer>();
  for (const subject of subjects) deks.set(subject.subjectId, await openKey(desk, subject));
  const contents = new Map<string, Readonly<Record<string, string>>>();
  for (const payload of payloads) {
    const dek = deks.get(payload.subjectId);
    if (dek === undefined) continue;
    const plain = decrypt(dek, payload.ct, additionalData(payload)).toString('utf8');
    contents.set(placeOf(payload.streamId, payload.seq), JSON.parse(plain) as Record<string, string>);
  }
  return contents;
}
