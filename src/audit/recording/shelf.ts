/** Recordings that are kept: given out to whom they are of, and cleared away when their key is gone. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallEventRow, eventsOf, keylessSubjects, type Store, type SubjectRow } from '../../store/index.ts';
import { sha256 } from '../chain.ts';
import { findSubjects, type SubjectDesk, openKey } from '../subject-desk.ts';
import { allowSubject, FOR_THE_PERSON, type ReadFor } from '../use.ts';
import { decodeRecording, recordingFile, recordingId } from './file.ts';
import { encodeWav } from './wav.ts';

export interface KeptRecording {
  readonly recording: string;
  readonly callId: string;
  readonly startedUs: number;
  readonly rateHz: number;
  readonly seconds: number;
  /** Every piece that the log names is there, unchanged, and nothing else. */
  readonly whole: boolean;
  /** A crash ended it: what was still held in memory is not in it. */
  readonly broken: boolean;
  /** Stereo: caller left, agent right; marked as synthetic speech. */
  readonly wav: Buffer;
}

/**
 * The recordings of a person (GDPR 15, 20). The chain says that they were read before they are opened.
 * Errors: STORE_DOWN, SPOOL_FAILED, RECORDING_FAILED for a file that does not open, CONTENT_REFUSED as for an export.
 */
export async function exportRecordings(
  desk: SubjectDesk,
  folder: string,
  number: string,
  reading: ReadFor = FOR_THE_PERSON,
): Promise<readonly KeptRecording[]> {
  await allowSubject(desk, number, reading);
  const subjects = await findSubjects(desk, number);
  const files = new Set((await readdir(folder).catch(() => [])).map(recordingId));
  const kept = subjects.filter(({ subjectId }) => files.has(subjectId));
  if (kept.length === 0) return [];
  const events = await desk.store.use((client) =>
    eventsOf(
      client,
      kept.map(({ subjectId }) => subjectId),
    ),
  );
  await desk.audit.append({
    type: 'content.read',
    callId: null,
    body: { request: randomUUID(), purpose: 'export of recordings', payloads: kept.length },
  });
  return Promise.all(kept.map((subject) => openRecording(desk, folder, subject, events)));
}

async function openRecording(
  desk: SubjectDesk,
  folder: string,
  subject: SubjectRow,
  events: readonly CallEventRow[],
): Promise<KeptRecording> {
  const bytes = await readFile(recordingFile(folder, subject.subjectId));
  const { header, pcm } = decodeRecording(bytes, await openKey(desk, subject));
  const own = events.flatMap(({ type, body, callId, tsUs }) => {
    const parsed = JSON.parse(body) as { readonly recording?: string; readonly sha256?: string };
    return parsed.recording === subject.subjectId ? [{ type, callId, tsUs, sha256: parsed.sha256 }] : [];
  });
  const started = own.find(({ type }) => type === 'recording.started');
  const broken = own.find(({ type }) => type === 'recording.broken');
  const logged = own.flatMap((event) => (event.type === 'recording.chunk' ? [event.sha256] : []));
  return {
    recording: subject.subjectId,
    callId: started?.callId ?? '',
    startedUs: started?.tsUs ?? 0,
    rateHz: header.rateHz,
    seconds: pcm.length / 4 / header.rateHz,
    whole: isWhole(bytes, logged, broken?.sha256),
    broken: broken !== undefined,
    wav: encodeWav(pcm, { rateHz: header.rateHz, channels: 2 }),
  };
}

/** A crash may come between a piece and its event: then the log has the hash of all that was found. */
function isWhole(bytes: Buffer, logged: readonly (string | undefined)[], broken: string | undefined): boolean {
  const { hashes, end } = chunkHashes(bytes);
  if (broken === undefined) return end === bytes.length && logged.join() === hashes.join();
  return logged.every((one, at) => one === hashes[at]) && sha256(bytes.subarray(0, end)).toString('hex') === broken;
}

function chunkHashes(bytes: Buffer): { hashes: string[]; end: number } {
  const hashes: string[] = [];
  let at = bytes.indexOf('\n') + 1;
  while (at + 4 <= bytes.length) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    hashes.push(sha256(bytes.subarray(at, end)).toString('hex'));
    at = end;
  }
  return { hashes, end: at };
}

/**
 * Removes files whose key is gone: erased, or their time is over. A key that has not come to Postgres yet counts as there. Run it after
 * an erasure and hourly. Returns how many. Errors: STORE_DOWN.
 */
export async function sweepRecordings(store: Store, folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const ids = names.flatMap((name) => recordingId(name) ?? []);
  if (ids.length === 0) return 0;
  const gone = await store.use((client) => keylessSubjects(client, ids));
  await Promise.all(gone.map((id) => rm(join(folder, recordingFile('', id)), { force: true })));
  return gone.length;
}
