/** Deepgram's live endpoint: the contract over a real WebSocket, what is sent when, and every way in which a server can be wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type DeepgramFault, startDeepgram } from '../../bench/servers/deepgram.ts';
import { hearWords } from '../../bench/servers/oracle.ts';
import { ParleyError } from '../../src/contracts/index.ts';
import { createDeepgramStream } from '../../src/stt/index.ts';
import { sttSuite } from '../contract/stt-suite.ts';
import { Callers } from '../support/adapter-rig.ts';
import { keepingLogger } from '../support/quiet-log.ts';

const external = { processor: 'Example Cloud Ltd', legalBasis: 'contract' };
const exact = { uniform: () => 1 };

async function scene(key = 'the-key', more: { decodeTimeoutMs?: number } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'parley-deepgram-'));
  writeFileSync(join(folder, 'key'), `${key}\n`, { mode: 0o600 });
  const callers = new Callers();
  const server = await startDeepgram('the-key', (wav) => hearWords(wav, callers.script.envelope ?? [], callers.script.words ?? [], exact));
  const logger = keepingLogger();
  const stt = createDeepgramStream({ url: server.url, keyFile: join(folder, 'key'), external, logger, ...more });
  await stt.start(callers.ring.audio);
  const end = async (): Promise<void> => {
    await stt.stop();
    await server.stop();
    callers.ring.free();
    rmSync(folder, { recursive: true });
  };
  return { callers, server, stt, logger, end };
}

const codeOf = (promise: Promise<{ text: string }>): Promise<string> =>
  promise.then(
    ({ text }) => text,
    (error: unknown) => (error instanceof ParleyError ? error.code : String(error)),
  );

test('Deepgram, streaming, keeps the contract', (t) => {
  sttSuite(t, async () => {
    const { stt, callers, end } = await scene();
    return { stt, call: (_id, text) => callers.call(text), end };
  });
  t.end();
});

test('partials send what is new, on one line; the final sends the rest', async (t) => {
  const { stt, callers, server, end } = await scene();
  t.teardown(end);
  const place = callers.call('i want a table for two');
  const session = stt.open({ callId: 'one', ...place, language: 'en-US' });
  const half = Math.round(place.toSample / 2);
  const partial = await session.decode({ fromSample: 0, toSample: half, kind: 'partial' });
  t.match('i want a table for two', partial.text, 'a beginning of it');
  t.equal(server.lines[0]?.samples, half);
  const final = await session.decode({ ...place, kind: 'final' });
  t.equal(final.text, 'i want a table for two');
  t.equal(server.lines.length, 1, 'one line');
  t.equal(server.lines[0]?.samples, place.toSample, 'every sample once');
  t.match(Object.fromEntries(server.lines[0]?.query ?? []), {
    language: 'en-US',
    mip_opt_out: 'true',
    encoding: 'linear16',
    sample_rate: '16000',
  });
  await session.decode({ fromSample: half, toSample: place.toSample, kind: 'final' });
  t.equal(server.lines.length, 2, 'another utterance, another line');
  session.close();
});

const FAULTS: Readonly<Record<DeepgramFault, RegExp>> = {
  never: /after 300 ms/,
  half: /no JSON/,
  'wrong-shape': /no transcript/,
  garbage: /no JSON/,
  error: /answered with an error/,
  huge: /broke off/,
  close: /broke off|closed/,
};

test('whatever the server does: a clear error without a word of anybody, and the next utterance is heard', async (t) => {
  const { stt, callers, server, logger, end } = await scene('the-key', { decodeTimeoutMs: 300 });
  t.teardown(end);
  const states: string[] = [];
  stt.onState((state) => states.push(state));
  const place = callers.call('goodbye');
  const session = stt.open({ callId: 'one', ...place, language: 'en' });
  for (const [fault, message] of Object.entries(FAULTS) as [DeepgramFault, RegExp][]) {
    server.fault = fault;
    await t.rejects(session.decode({ ...place, kind: 'final' }), { code: 'STT_FAILED', message }, fault);
  }
  t.same(states, ['down']);
  server.fault = null;
  t.equal(await codeOf(session.decode({ ...place, kind: 'final' })), 'goodbye');
  t.same(states, ['down', 'up']);
  t.notMatch(JSON.stringify(logger.lines), /caller|goodbye/);
});

test('a wrong key, no server, no processor', async (t) => {
  const wrong = await scene('another-key');
  t.teardown(wrong.end);
  const place = wrong.callers.call('yes');
  await t.rejects(wrong.stt.open({ callId: 'x', ...place, language: 'en' }).decode({ ...place, kind: 'final' }), {
    code: 'STT_FAILED',
    message: /status 401/,
  });
  refusals(t);
});

function refusals(t: Test): void {
  const logger = keepingLogger();
  t.throws(() => createDeepgramStream({ keyFile: 'x', external: { processor: '', legalBasis: '' }, logger }), { code: 'ENGINE_EXTERNAL' });
  t.throws(() => createDeepgramStream({ keyFile: 'x', external, url: 'http://203.0.113.1', logger }), { code: 'CONFIG_INVALID' });
}
