/** Colleagues who decide: desk phones on fakes, and what is made of their corrections. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { createDeskPhone } from '../../src/call/index.ts';
import type { TextToSpeech } from '../../src/contracts/index.ts';
import { loadFlowTests } from '../../src/dialogue/index.ts';
import { writeSuggestion } from '../../src/integrations/index.ts';
import { createFakePbx } from '../../src/telephony/index.ts';
import { until } from '../support/asterisk.ts';
import { FakeMediaEngine } from '../support/fake-media.ts';

function rig(answers: (place: string) => boolean) {
  const pbx = createFakePbx({ answers });
  const media = new FakeMediaEngine({ us: 0 });
  const alarms: (() => void)[] = [];
  const said: string[] = [];
  const tts: Pick<TextToSpeech, 'synthesise'> = {
    synthesise: (text, { language }) => {
      said.push(`${language}: ${text}`);
      return Promise.resolve({ pcm: new Int16Array(8000), rateHz: 8000, firstMs: 1, totalMs: 1 });
    },
  };
  const phone = createDeskPhone({
    ...{ pbx, media, receive: 'ulaw', send: 'ulaw', language: 'en', timeoutMs: 20_000 },
    tts: tts as TextToSpeech,
    timers: { after: (_ms, act) => (alarms.push(act), () => undefined) },
    desk: (name) => (name === 'office' ? { context: 'parley-desks', extension: '100', language: 'de' } : undefined),
  });
  const ask = (signal = new AbortController().signal) => phone.ask({ desk: 'office', text: 'Refund 40 euros', keys: ['1', '2'], signal });
  /** Answered, and the text sounds. */
  const sounding = async (): Promise<string> => {
    await until('its media', () => media.sessions.at(-1)?.remote !== null && media.sessions.length > 0);
    media.sessions.at(-1)!.play(20);
    return media.sessions.at(-1)!.callId;
  };
  const left = () => ({ legs: pbx.legs.size, sessions: media.sessions.filter((one) => !one.closed).length });
  return { pbx, media, alarms, said, phone, ask, sounding, left };
}

test('a desk phone: the key counts from when the text sounds; the wrong one does not; everything is hung up', async (t) => {
  const { pbx, media, said, ask, sounding, left, phone } = rig(() => true);
  await pbx.start();
  const asked = ask();
  await until('its media', () => media.sessions[0]?.remote === '127.0.0.1:9');
  const id = media.sessions[0]!.callId;
  pbx.press(id, '2');
  await new Promise((later) => setImmediate(later));
  await sounding();
  pbx.press(id, '7');
  pbx.press(id, '1');
  t.equal(await asked, '1');
  t.strictSame(said, ['de: Refund 40 euros'], 'in the language of the desk');
  t.strictSame(left(), { legs: 0, sessions: 0 });

  const byRtp = ask();
  await until('its media', () => media.sessions[1]?.remote !== null && media.sessions.length === 2);
  await sounding();
  media.sessions[1]!.emit({ t: 'dtmf', digit: '2', durationMs: 100, sample: 1, atUs: 1 });
  t.equal(await byRtp, '2');
  await t.rejects(phone.ask({ desk: 'elsewhere', text: '', keys: ['1'], signal: new AbortController().signal }), { code: 'PBX_BAD_INPUT' });
});

test('a desk phone: nobody there, a hang-up, a withdrawn request and too much time are no key', async (t) => {
  const away = rig(() => false);
  await away.pbx.start();
  t.equal(await away.ask(), null);

  const { pbx, media, alarms, ask, sounding, left } = rig(() => true);
  await pbx.start();
  const hungUp = ask();
  await sounding();
  pbx.callerHangsUp(media.sessions[0]!.callId);
  t.equal(await hungUp, null);
  const stop = new AbortController();
  const withdrawn = ask(stop.signal);
  await until('its media', () => media.sessions.length === 2);
  stop.abort();
  t.equal(await withdrawn, null);
  const late = ask();
  await until('its media', () => media.sessions.length === 3);
  alarms.at(-1)!();
  t.equal(await late, null);
  t.strictSame(left(), { legs: 0, sessions: 0 });
  pbx.linkDown();
  await t.rejects(ask(), { code: 'PBX_LINK_DOWN' });
});

test('a correction becomes a flow test that loads and a knowledge edit; nothing in it becomes a key', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-review-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const evil = 'no\n  - name: "x"\n# head: [\u2028"\'{}';
  const given = {
    ...{ callId: '../../etc/passwd', id: 'e1', flow: 'shop', tool: 'refund', summary: `Refund; ${evil}`, decision: 'denied' as const },
    correction: `It was 14 euros\n## ${evil}`,
    turns: [
      { says: 'my order is wrong', hears: ['which_order'] },
      { says: evil, hears: [] },
    ],
    desks: ['host'],
    wallUs: 1_795_000_000_000_000,
  };
  const names = await writeSuggestion(join(folder, 'review'), given);
  t.strictSame([...names].sort(), (await readdir(join(folder, 'review'))).sort());
  const [flowTest = '', knowledge = ''] = names;
  const read = await loadFlowTests(join(folder, 'review', flowTest));
  t.match(read, { desks: ['host'], tests: [{ approves: 'no', turns: [{ says: 'my order is wrong', hears: ['which_order'] }, {}] }] });
  t.equal(read.tests.length, 1);
  const text = await readFile(join(folder, 'review', knowledge), 'utf8');
  t.equal(text.split('\n').filter((line) => line.startsWith('#')).length, 1);
  t.match(text, 'It was 14 euros');
  for (const name of names) t.equal((await stat(join(folder, 'review', name))).mode & 0o777, 0o600);
  await t.rejects(writeSuggestion(join(folder, 'review'), given), { code: 'EEXIST' }, 'never replaced');
  const bare = await writeSuggestion(join(folder, 'review'), { ...given, id: 'e2', turns: [] });
  t.equal((await loadFlowTests(join(folder, 'review', bare[0]!))).tests[0]!.turns.length, 0);
});
