/**
 * `parley subject export | erase NUMBER`: the rights of a person (GDPR 15, 17, 20). A running gateway does it, because it keeps the
 * log; without one the command opens the log itself.
 */
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createAudit } from '../audit/index.ts';
import { type Config, loadConfig } from '../config/index.ts';
import { ParleyError } from '../contracts/index.ts';
import { silentLogger, systemClock } from '../observability/index.ts';
import { auditOptions, keysFolder, storeOptions, subjectActs } from '../parts/index.ts';
import { createStore } from '../store/index.ts';
import { gatewayOf } from './call.ts';
import { EXIT } from './exit.ts';
import { type Gateway, health } from './live.ts';

export interface SubjectCommand {
  readonly config: string;
  readonly out?: string;
  readonly reason?: string;
}

interface Exported {
  readonly request: string;
  readonly vcons: readonly unknown[];
}
interface Erased {
  readonly request: string;
  readonly subjects: number;
  readonly held: number;
  readonly certificate: string;
}

export async function subjectExport(number: string, options: SubjectCommand): Promise<number> {
  const { vcons, request: id } = (await perform(options.config, '/v1/subjects/export', { number })) as Exported;
  const text = `${JSON.stringify(vcons, null, 2)}\n`;
  if (options.out === undefined) process.stdout.write(text);
  else await writeFile(options.out, text, { mode: 0o600 });
  console.error(`${vcons.length} calls; the log names this reading as request ${id}`);
  return EXIT.ok;
}

export async function subjectErase(number: string, options: SubjectCommand): Promise<number> {
  const reason = options.reason ?? 'request of the person';
  const erased = (await perform(options.config, '/v1/subjects/erase', { number, reason })) as Erased;
  console.log(erased.certificate);
  if (erased.held > 0) console.error(`${erased.held} records are under legal hold and were kept`);
  return EXIT.ok;
}

async function perform(file: string, path: '/v1/subjects/export' | '/v1/subjects/erase', input: Record<string, string>): Promise<unknown> {
  const config = await loadConfig(file);
  if ((await health({ host: config.http.host, port: config.http.port })) !== null) return post(await gatewayOf(config), path, input);
  return withLog(config, (acts) => acts[path](input));
}

async function withLog<T>(config: Config, work: (acts: ReturnType<typeof subjectActs>) => Promise<T>): Promise<T> {
  const store = createStore(await storeOptions(config, silentLogger));
  const audit = createAudit({ ...auditOptions(config), store, clock: systemClock, log: silentLogger });
  try {
    await store.start();
    await audit.start();
    return await work(subjectActs({ audit, store, clock: systemClock, keysFolder: keysFolder(config) }, config.privacy.recordings));
  } finally {
    await audit.stop();
    await store.stop();
  }
}

function post(gateway: Gateway, path: string, input: Record<string, string>): Promise<unknown> {
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
