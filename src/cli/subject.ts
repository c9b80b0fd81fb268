/**
 * `parley subject export | erase | correct | restrict | consents | hold NUMBER`: the rights of a person (GDPR 7, 15 to 18, 20, 21).
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConsentHistory, type Erasure, type Export, type Holding, type Restriction, subjectPage } from '../audit/index.ts';
import { systemClock } from '../observability/index.ts';
import { perform } from './acts.ts';
import { EXIT } from './exit.ts';

export interface SubjectCommand {
  readonly config: string;
  readonly out?: string;
  /** HTML to read or print. */
  readonly page?: string;
  /** Folder for WAV files of recordings. */
  readonly audio?: string;
  readonly reason?: string;
  readonly call?: string;
  readonly reference?: string;
  readonly lift?: boolean;
  /** Whom an export is for: person, claims (with a reference) or work. */
  readonly for?: string;
}

interface Exported extends Export {
  /** WAV, base64url. */
  readonly recordings: readonly { readonly body: string }[];
}

export async function subjectExport(number: string, options: SubjectCommand): Promise<number> {
  const input = { number, ...given(options, 'for'), ...given(options, 'reference') };
  const { vcons, recordings, request: id } = (await perform(options.config, '/v1/subjects/export', input)) as Exported;
  const text = `${JSON.stringify(vcons, null, 2)}\n`;
  if (options.page !== undefined)
    await writeFile(options.page, subjectPage(vcons, id, new Date(systemClock.wallUs() / 1000)), { mode: 0o600 });
  if (options.out !== undefined) await writeFile(options.out, text, { mode: 0o600 });
  else if (options.page === undefined) process.stdout.write(text);
  if (options.audio !== undefined) {
    await mkdir(options.audio, { recursive: true, mode: 0o700 });
    for (const [at, { body }] of recordings.entries()) {
      await writeFile(join(options.audio, `recording-${at + 1}.wav`), Buffer.from(body, 'base64url'), { mode: 0o600 });
    }
  }
  console.error(`${vcons.length} calls, ${recordings.length} recordings; the log names this reading as request ${id}`);
  return EXIT.ok;
}

export async function subjectErase(number: string, options: SubjectCommand): Promise<number> {
  const reason = options.reason ?? 'request of the person';
  const erased = (await perform(options.config, '/v1/subjects/erase', { number, reason })) as Erasure;
  console.log(erased.certificate);
  if (erased.held > 0) console.error(`${erased.held} records are under legal hold and were kept`);
  return EXIT.ok;
}

export async function subjectCorrect(number: string, correction: string, options: SubjectCommand): Promise<number> {
  const { request: id } = (await perform(options.config, '/v1/subjects/correct', {
    number,
    correction,
    ...given(options, 'call'),
  })) as Holding;
  console.log(`written down as request ${id}, beside what it corrects`);
  return EXIT.ok;
}

export async function subjectRestrict(number: string, options: SubjectCommand): Promise<number> {
  const { certificate } = (await perform(options.config, '/v1/subjects/restrict', { number, ...given(options, 'lift') })) as Restriction;
  console.log(certificate);
  return EXIT.ok;
}

export async function subjectConsents(number: string, options: SubjectCommand): Promise<number> {
  const { events, request: id } = (await perform(options.config, '/v1/subjects/consents', { number })) as ConsentHistory;
  for (const { tsUs, callId, type, body } of events) console.log(`${new Date(tsUs / 1000).toISOString()} ${callId} ${type} ${body}`);
  console.error(`${events.length} entries; the log names this reading as request ${id}`);
  return EXIT.ok;
}

export async function subjectHold(number: string, options: SubjectCommand): Promise<number> {
  const done = (await perform(options.config, '/v1/subjects/hold', {
    number,
    ...given(options, 'reference'),
    ...given(options, 'lift'),
  })) as Holding;
  console.log(`${done.subjects} records ${options.lift === true ? 'are no longer' : 'are'} under legal hold, request ${done.request}`);
  return EXIT.ok;
}

function given(options: SubjectCommand, key: 'call' | 'reference' | 'lift' | 'for'): Record<string, string | boolean> {
  const value = options[key];
  return value === undefined ? {} : { [key]: value };
}
