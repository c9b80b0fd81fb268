/** One call through a real Asterisk into the whole service, and then a search for the caller in everything that is left of it. */
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { consentsOfSubject, exportRecordings, exportSubject } from '../../src/audit/index.ts';
import { findPrompt, promptFrom, renderLine, type Script } from '../../src/cli/caller/index.ts';
import { readWav } from '../../src/cli/caller/voice.ts';
import { systemClock } from '../../src/observability/index.ts';
import { startPrivateAsterisk } from '../../src/telephony/index.ts';
import { asteriskOptions, type CallerStep, placeCall, until } from '../support/asterisk.ts';
import { watchDisk } from '../support/disk-watch.ts';
import { amplitudeAt, pcmToUlaw, rms, tone } from '../support/pcm.ts';
import { startPostgres, testFolder, type TestDatabase } from '../support/postgres.ts';
import { EXTENSION, startRig } from '../support/service.ts';
import { holdsTone } from '../support/tone-scan.ts';

const listen = { wait: 'agent-finished' } as const;
const BOOK = { say: 'i want to book a table for four on friday at seven' } as const;
/** The number that calls, and what only this caller says. */
const NUMBER = '+4930901820';
/** No harmonic of the mains, of a packet's length or of the PBX's own tones. */
const TONE_HZ = 1237;
const TONE_MS = 6000;
const CANARIES = ['4930901820', 'table for four', 'book a table'];

const YES = { say: 'yes please' } as const;
const CARD = '4929123412341234';
const PIN = '50729381';
const SPOKEN_PIN = { say: 'five zero seven two nine three eight one' } as const;

const payFlow = (port: number): string => `flow: pay
language: en
start: may_we
slots:
  sure: { type: yes-no }
  card: { type: secret, min: 12, max: 19 }
  pin: { type: secret, min: 8, max: 8, by: keys-or-voice }
prompts:
  sure: Do you want to pay?
  card: Please key in your card number.
  pin: Please say your code.
  bye: Thank you. Goodbye.
tools:
  pay:
    description: Pays
    effect: write
    arguments: { card: { secret: true }, pin: { secret: true } }
    result: { ok: { type: boolean } }
    http: { method: POST, url: "http://127.0.0.1:${port}/pay" }
steps:
  may_we: { ask: sure, prompt: sure, next: card }
  card: { ask: card, prompt: card, next: pin }
  pin: { ask: pin, prompt: pin, next: pay }
  pay: { do: pay, with: { card: '{card}', pin: '{pin}' }, next: paid, failed: failed }
  paid: { end: hangup, prompt: bye, outcome: paid }
  failed: { end: hangup, prompt: bye, outcome: failed }
`;

const VISITS = `flow: visits
language: en
start: add
contact: { visits: 0, remember_me: false }
slots: { may_we: { type: yes-no } }
prompts:
  hello: This is visit {contact.visits}.
  may_we: May we remember you?
  bye: Goodbye.
steps:
  add: { set: { contact.visits: contact.visits + 1 }, next: greet }
  greet: { say: hello, next: ask_leave }
  ask_leave: { ask: may_we, prompt: may_we, next: note }
  note: { set: { contact.remember_me: may_we }, next: over }
  over: { end: hangup, prompt: bye, outcome: counted }
`;

test('privacy of a whole call', { timeout: 420_000 }, async (t) => {
  const folder = await testFolder();
  const postgres = await startPostgres();
  const options = await asteriskOptions(t, {});
  const asterisk = await startPrivateAsterisk(options);
  t.teardown(async () => {
    await asterisk.stop();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });

  await t.test('GDPR 5(1), 25; section 201 StGB: default calls leave no word, no number and no audio anywhere', async (t) => {
    const database = await postgres.database();
    const rig = await startRig({ folder: join(folder, 'default'), asterisk, databaseUrl: database.url(), mediaPort: 28_000 });
    t.teardown(() => rig.stop());
    await until('the link to Asterisk', () => rig.service.runner.linkUp);
    // What no program of ours says: a tone, for as long as an utterance. Its own file is the one place that may have it.
    const source = join(folder, 'tone.ulaw');
    await writeFile(source, pcmToUlaw(tone(8 * TONE_MS, { hz: TONE_HZ })));
    t.ok(holdsTone(await readFile(source), TONE_HZ), 'the search finds it where it is');
    const startMs = Date.now();
    const watch = watchDisk();
    const report = await rig.call([listen, BOOK, listen, { hangup: true }], { from: NUMBER });
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(report.problem, null);
    t.equal(rig.of('call.incoming')[0]!.content?.['from'], NUMBER, 'those who watch saw the number');
    t.equal(rig.of('caller.said')[0]!.content?.['text'], BOOK.say, 'and the words');

    const steps = [
      { do: 'wait', ms: 500 },
      { do: 'play', file: source },
      { do: 'wait', ms: TONE_MS + 500 },
      { do: 'bye' },
    ] as const satisfies readonly CallerStep[];
    const phone = await placeCall({ sipPort: asterisk.sipPort, extension: EXTENSION, from: NUMBER, steps });
    await until('the second call', () => rig.of('call.answered').length === 2);
    await until('the tone in the memory of the process', () => holdsTone(audioMemory(), TONE_HZ));
    t.equal((await phone.finished).code, 0);
    await until('the end of the second call', () => rig.of('call.ended').length === 2);
    await until('everything in Postgres', () => rig.service.audit.backlog === 0);
    const written = watch.stop();
    await rig.stop();
    t.ok(
      written.some((name) => name.startsWith(join(folder, 'default/spool/'))),
      'the watch saw what is written',
    );
    const touched = (await Promise.all([join(folder, 'default'), options.runDir].map((place) => filesBelow(place, startMs)))).flat();
    t.same(await withTone([...written, ...touched]), [], 'no audio, in no encoding, in any of them');
    t.same(await found(CANARIES, [join(folder, 'default')]), [], 'files of the service');
    t.same(await found(CANARIES, [options.runDir]), [], 'files of the PBX');
    t.same(await found(CANARIES, written), [], 'files that were written to');
    t.same(await inDatabase(database, CANARIES), [], 'the database');
    t.same(await readdir(join(folder, 'default')).then((names) => names.filter((name) => /recording|wav|pcm/.test(name))), []);
  });

  await t.test('GDPR 7: with consent the call is recorded, and comes out for the number that called', async (t) => {
    const database = await postgres.database();
    const recordings = join(folder, 'recordings');
    const more = `data: { recording: { days: 30, basis: consent } }\nprivacy: { recordings: "${recordings}" }`;
    const rig = await startRig({ folder: join(folder, 'recorded'), asterisk, databaseUrl: database.url(), mediaPort: 28_200, more });
    t.teardown(() => rig.stop());
    await until('the link to Asterisk', () => rig.service.runner.linkUp);
    const report = await rig.call([listen, { keys: '1' }, listen, BOOK, listen, { hangup: true }], { from: NUMBER });
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(report.problem, null);
    const order = rig.types();
    t.equal(rig.of('consent')[0]!.body.result, 'granted');
    t.equal(rig.of('consent')[0]!.body.how, 'keys');
    t.ok(order.indexOf('notice.completed') < order.indexOf('consent'), 'the notice before the question');
    t.ok(order.indexOf('consent') < order.indexOf('recording.started'), 'the consent before the recording');
    t.equal(rig.of('recording.stopped').length, 1);
    t.ok(order.indexOf('recording.stopped') < order.indexOf('call.ended'));
    const { audit, store } = rig.service;
    const desk = { audit, store, clock: systemClock, keysFolder: join(folder, 'recorded/spool/keys') };
    const [kept] = await exportRecordings(desk, recordings, NUMBER);
    t.equal(kept!.whole, true);
    t.ok(kept!.seconds > 5, `${kept!.seconds} s`);
    t.same(await found(CANARIES, [recordings, join(folder, 'recorded')]), [], 'nothing of it in the clear');
  });

  await t.test('PCI DSS: a number by key (RFC 4733) and one by voice reach one tool, and are nowhere else', async (t) => {
    const database = await postgres.database();
    const taken: unknown[] = [];
    const bank = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
      request.on('end', () => {
        taken.push(JSON.parse(body));
        response.setHeader('content-type', 'application/json').end('{"ok":true}');
      });
    });
    await new Promise<void>((listening) => bank.listen(0, '127.0.0.1', listening));
    t.teardown(() => bank.close());
    const { port } = bank.address() as AddressInfo;
    const place = join(folder, 'secrets');
    const flows = join(place, 'flows');
    await mkdir(flows, { recursive: true });
    await writeFile(join(flows, 'pay.yaml'), payFlow(port));
    const recordings = join(place, 'recordings');
    // Everything that can be kept is kept.
    const more = `flows: { directory: "${flows}", default: pay }
tools: { http: { "127.0.0.1:${port}": { private: true } } }
replay: { directory: "${join(place, 'turns')}" }
privacy: { recordings: "${recordings}" }
data: { content: { days: 30, basis: contract }, recording: { days: 30, basis: contract }, memory: { days: 30, basis: contract } }`;
    const rig = await startRig({ folder: place, asterisk, databaseUrl: database.url(), mediaPort: 28_400, more });
    t.teardown(() => rig.stop());
    await until('the link to Asterisk', () => rig.service.runner.linkUp);
    const watch = watchDisk();
    const script: Script = [listen, YES, listen, { keys: `${CARD}#` }, listen, SPOKEN_PIN, { wait: 'hangup', timeoutMs: 60_000 }];
    const report = await rig.call(script, { from: NUMBER, extension: 'flow_pay' });
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(report.problem, null);
    t.same(
      rig.of('secret.given').map(({ body }) => [body.slot, body.how, body.digits, body.accepted]),
      [
        ['card', 'keys', 16, true],
        ['pin', 'voice', 8, true],
      ],
    );
    t.same(taken, [{ card: CARD, pin: PIN }], 'the tool has both, once');
    t.equal(rig.of('call.ended')[0]!.body.outcome, 'paid');
    await until('everything in Postgres', () => rig.service.audit.backlog === 0);

    const secrets = [CARD, CARD.slice(0, 8), PIN, SPOKEN_PIN.say, SPOKEN_PIN.say.slice(0, 20)];
    const { audit, store } = rig.service;
    const desk = { audit, store, clock: systemClock, keysFolder: join(place, 'spool/keys') };
    const opened = JSON.stringify(await exportSubject(desk, NUMBER));
    t.match(opened, YES.say, 'what is kept of the call is opened');
    for (const live of [opened, JSON.stringify(rig.events)]) for (const secret of secrets) t.notMatch(live, secret);
    const [kept] = await exportRecordings(desk, recordings, NUMBER);
    t.ok(kept!.whole);
    const { pcm } = readWav(kept!.wav);
    const caller = Int16Array.from({ length: pcm.length / 2 }, (_, n) => pcm[n * 2] ?? 0);
    const spokenIn = async (say: string): Promise<boolean> => {
      const found = findPrompt(caller, promptFrom(say, { pcm: (await renderLine(say)).pcm, rateHz: 8000 }));
      return found !== null && found.heardMs > 0;
    };
    t.ok(await spokenIn(YES.say), 'the recording has what the caller said');
    t.notOk(await spokenIn(SPOKEN_PIN.say), 'but not the number');
    t.notOk(hasKeys(caller), 'nor the tones of keys');
    const written = watch.stop();
    await rig.stop();
    t.same(await found(secrets, [place, options.runDir, ...written]), [], 'files of the service and of the PBX');
    t.same(await inDatabase(database, secrets), [], 'the database');
  });

  await t.test('GDPR 6, 7: who agreed is greeted with what was agreed; who did not is a stranger', async (t) => {
    const database = await postgres.database();
    const place = join(folder, 'remembered');
    const flows = join(place, 'flows');
    await mkdir(flows, { recursive: true });
    await writeFile(join(flows, 'visits.yaml'), VISITS);
    const more = `flows: { directory: "${flows}", default: visits }\ndata: { memory: { days: 30, basis: consent } }`;
    const rig = await startRig({ folder: place, asterisk, databaseUrl: database.url(), mediaPort: 28_600, more });
    t.teardown(() => rig.stop());
    await until('the link to Asterisk', () => rig.service.runner.linkUp);
    const greeted = async (from: string, say: string): Promise<string> => {
      const before = rig.of('agent.speaking').length;
      const ends = rig.of('call.ended').length;
      const report = await rig.call([listen, { say }, { wait: 'hangup', timeoutMs: 30_000 }], { from, extension: 'flow_visits' });
      t.equal(report.problem, null);
      await until('the end of the call', () => rig.of('call.ended').length > ends);
      await until('everything in Postgres', () => rig.service.audit.backlog === 0);
      const said = rig.of('agent.speaking').slice(before);
      return said.find(({ body }) => body.prompt === 'hello')?.content['text'] ?? '';
    };
    const other = '+4930901822';
    t.match(await greeted(NUMBER, 'yes please'), 'visit 1');
    t.match(await greeted(other, 'no thank you'), 'visit 1');
    t.match(await greeted(NUMBER, 'yes please'), 'visit 2', 'the first call is known');
    t.match(await greeted(other, 'no thank you'), 'visit 1', 'nothing of the other');
    t.same(
      rig.of('consent').map(({ body }) => [body.purpose, body.result, body.how]),
      [
        ['memory', 'granted', 'voice'],
        ['memory', 'refused', 'voice'],
        ['memory', 'granted', 'voice'],
        ['memory', 'refused', 'voice'],
      ],
    );
    const { audit, store } = rig.service;
    const { events } = await consentsOfSubject({ audit, store, clock: systemClock, keysFolder: join(place, 'spool/keys') }, NUMBER);
    t.equal(events.filter(({ type }) => type === 'consent').length, 2, 'and the person can see it');
    t.match(await greeted(NUMBER, 'no thank you'), 'visit 3');
    await until('the memories to go', async () => (await database.query('SELECT 1 FROM vault.subject_key')).length === 0);
    t.match(await greeted(NUMBER, 'no thank you'), 'visit 1', 'withdrawn: forgotten');
    t.equal(rig.of('consent').at(-2)?.body.result, 'withdrawn');
    await rig.stop();
    t.same(await inDatabase(database, ['4930901820']), [], 'no number in the clear');
  });
});

/** The audio of the service's calls, as it is in its memory now. */
function audioMemory(): Buffer {
  const fds = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('/memfd:parley-audio');
    } catch {
      return false; // the descriptor of this listing
    }
  });
  return Buffer.concat(fds.map((fd) => readFileSync(`/proc/self/fd/${fd}`)));
}

async function withTone(paths: readonly string[]): Promise<string[]> {
  const hits: string[] = [];
  for (const path of paths) if (holdsTone(await readFile(path).catch(() => Buffer.alloc(0)), TONE_HZ)) hits.push(path);
  return hits;
}

/** Regular files below a folder, or the file itself, that were written to since. */
async function filesBelow(place: string, sinceMs = 0): Promise<string[]> {
  const names = await readdir(place, { recursive: true }).catch(() => ['']);
  const files: string[] = [];
  for (const name of names) {
    const path = join(place, name);
    const info = await stat(path).catch(() => null);
    if (info?.isFile() === true && info.mtimeMs >= sinceMs) files.push(path);
  }
  return files;
}

const LOW_HZ = [697, 770, 852, 941] as const;
const HIGH_HZ = [1209, 1336, 1477] as const;
const KEY_SAMPLES = 320;

/** Two tones of a key, each with a third of the energy at least, for 40 ms. */
function hasKeys(pcm: Int16Array): boolean {
  for (let from = 0; from + KEY_SAMPLES <= pcm.length; from += KEY_SAMPLES / 2) {
    const window = pcm.subarray(from, from + KEY_SAMPLES);
    const energy = rms(window) ** 2;
    if (energy < 100 ** 2) continue;
    const share = (hz: number): number => amplitudeAt(window, hz, 8000) ** 2 / 2 / energy;
    if (LOW_HZ.some((hz) => share(hz) > 1 / 3) && HIGH_HZ.some((hz) => share(hz) > 1 / 3)) return true;
  }
  return false;
}

/** Files at or below these places that hold one of the words. */
async function found(words: readonly string[], places: readonly string[]): Promise<string[]> {
  const hits: string[] = [];
  for (const path of (await Promise.all(places.map((place) => filesBelow(place)))).flat()) {
    const text = (await readFile(path)).toString('latin1');
    for (const word of words) if (text.includes(word)) hits.push(`${path}: ${word}`);
  }
  return hits;
}

/** Everything in every table, as text. */
async function inDatabase(database: TestDatabase, words: readonly string[]): Promise<string[]> {
  const tables = await database.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('audit', 'vault', 'ops')`,
  );
  const hits: string[] = [];
  for (const { name } of tables) {
    const rows = await database.query<{ text: string }>(`SELECT t::text AS text FROM ${name} t`);
    for (const { text } of rows) for (const word of words) if (text.includes(word)) hits.push(`${name}: ${word}`);
  }
  return hits;
}
