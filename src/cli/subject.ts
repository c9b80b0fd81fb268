/**
 * `parley subject export | erase | correct | restrict | consents | hold NUMBER`: the rights of a person (GDPR 7, 15 to 18, 20, 21). A
 * running gateway does it, because it keeps the log; without one the command opens the log itself.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import {
  type ConsentHistory,
  createAudit,
  type Erasure,
  type Export,
  type Holding,
  type Restriction,
  subjectPage,
} from '../audit/index.ts';
import { type Config, loadConfig } from '../config/index.ts';
import { ParleyError } from '../contracts/index.ts';
import { silentLogger, systemClock } from '../observability/index.ts';
import { auditOptions, keysFolder, storeOptions, type SubjectAct, subjectActs } from '../parts/index.ts';
import { createStore } from '../store/index.ts';
import { gatewayOf } from './call.ts';
import { EXIT } from './exit.ts';
import { type Gateway, health } from './live.ts';

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
}

interface Exported extends Export {
  /** WAV, base64url. */
  readonly recordings: readonly { readonly body: string }[];
}

export async function subjectExport(number: string, options: SubjectCommand): Promise<number> {
  const { vcons, recordings, request: id } = (await perform(options.config, 'export', { number })) as Exported;
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
  const erased = (await perform(options.config, 'erase', { number, reason })) as Erasure;
  console.log(erased.certificate);
  if (erased.held > 0) console.error(`${erased.held} records are under legal hold and were kept`);
  return EXIT.ok;
}

export async function subjectCorrect(number: string, correction: string, options: SubjectCommand): Promise<number> {
  const { request: id } = (await perform(options.config, 'correct', { number, correction, ...given(options, 'call') })) as Holding;
  console.log(`written down as request ${id}, beside what it corrects`);
  return EXIT.ok;
}

export async function subjectRestrict(number: string, options: SubjectCommand): Promise<number> {
  const { certificate } = (await perform(options.config, 'restrict', { number, ...given(options, 'lift') })) as Restriction;
  console.log(certificate);
  return EXIT.ok;
}

export async function subjectConsents(number: string, options: SubjectCommand): Promise<number> {
  const { events, request: id } = (await perform(options.config, 'consents', { number })) as ConsentHistory;
  for (const { tsUs, callId, type, body } of events) console.log(`${new Date(tsUs / 1000).toISOString()} ${callId} ${type} ${body}`);
  console.error(`${events.length} entries; the log names this reading as request ${id}`);
  return EXIT.ok;
}

export async function subjectHold(number: string, options: SubjectCommand): Promise<number> {
  const done = (await perform(options.config, 'hold', { number, ...given(options, 'reference'), ...given(options, 'lift') })) as Holding;
  console.log(`${done.subjects} records ${options.lift === true ? 'are no longer' : 'are'} under legal hold, request ${done.request}`);
  return EXIT.ok;
}

function given(options: SubjectCommand, key: 'call' | 'reference' | 'lift'): Record<string, string | boolean> {
  const value = options[key];
  return value === undefined ? {} : { [key]: value };
}

async function perform(file: string, act: SubjectAct, input: Record<string, string | boolean>): Promise<unknown> {
  const config = await loadConfig(file);
  const path = `/v1/subjects/${act}` as const;
  if ((await health({ host: config.http.host, port: config.http.port })) !== null) return post(await gatewayOf(config), path, input);
  return withLog(config, (acts) => acts[path](input));
}

async function withLog<T>(config: Config, work: (acts: ReturnType<typeof subjectActs>) => Promise<T>): Promise<T> {
  const store = createStore(await storeOptions(config, silentLogger));
  const audit = createAudit({ ...auditOptions(config), store, clock: systemClock, log: silentLogger });
  try {
    await store.start();
    await audit.start();
    return await work(subjectActs(config, { audit, store, clock: systemClock, keysFolder: keysFolder(config) }, null));
  } finally {
    await audit.stop();
    await store.stop();
  }
}

function post(gateway: Gateway, path: string, input: Record<string, string | boolean>): Promise<unknown> {
  const { host, port, token } = gateway;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path, method: 'POST', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const answer = JSON.parse(text) as { error?: string };
        if (response.statusCode === 200) resolve(answer);
        else reject(new ParleyError('STORE_REFUSED', answer.error ?? `the gateway answered ${String(response.statusCode)}`));
      });
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(input));
  });
}
