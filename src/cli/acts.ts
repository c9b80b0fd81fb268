/** Acts on what is kept: a running gateway does them, because it keeps the log; without one the command opens the log itself. */
import { request } from 'node:http';
import { createAudit } from '../audit/index.ts';
import { type Config, loadConfig } from '../config/index.ts';
import { ERRORS, type ErrorCode, ParleyError } from '../contracts/index.ts';
import { silentLogger, systemClock } from '../observability/index.ts';
import { auditOptions, inboxActs, keysFolder, storeOptions, subjectActs } from '../parts/index.ts';
import { createStore } from '../store/index.ts';
import { gatewayOf } from './call.ts';
import { type Gateway, health } from './live.ts';

type Acts = ReturnType<typeof subjectActs> & ReturnType<typeof inboxActs>;

/** Errors: those of the act, with the code that the gateway gave. */
export async function perform(file: string, path: keyof Acts, input: Readonly<Record<string, string | boolean>>): Promise<unknown> {
  const config = await loadConfig(file);
  if ((await health({ host: config.http.host, port: config.http.port })) !== null) return post(await gatewayOf(config), path, input);
  return withLog(config, (acts) => acts[path](input));
}

async function withLog<T>(config: Config, work: (acts: Acts) => Promise<T>): Promise<T> {
  const store = createStore(await storeOptions(config, silentLogger));
  const audit = createAudit({ ...auditOptions(config), store, clock: systemClock, log: silentLogger });
  try {
    await store.start();
    await audit.start();
    const desk = { audit, store, clock: systemClock, keysFolder: keysFolder(config) };
    return await work({ ...subjectActs(config, desk, null), ...inboxActs(config, desk) });
  } finally {
    await audit.stop();
    await store.stop();
  }
}

function post(gateway: Gateway, path: string, input: Readonly<Record<string, string | boolean>>): Promise<unknown> {
  const { host, port, token } = gateway;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path, method: 'POST', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const answer = JSON.parse(text) as { error?: string; code?: string };
        if (response.statusCode === 200) resolve(answer);
        else reject(new ParleyError(codeOf(answer.code), answer.error ?? `the gateway answered ${String(response.statusCode)}`));
      });
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(input));
  });
}

const codeOf = (code = ''): ErrorCode => (Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'STORE_REFUSED');
