/** A call whose language and speaker change, spoken by several Piper voices: what reaches the telephone is what each of them says. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { smallVoice } from '../../scripts/test-voice/small.ts';
import { heardOf } from '../../src/call/ledger.ts';
import { findPrompts, promptFrom } from '../../src/cli/caller/index.ts';
import type { SpeechOptions } from '../../src/contracts/index.ts';
import { silentLogger } from '../../src/observability/index.ts';
import { startPrivateAsterisk } from '../../src/telephony/index.ts';
import { createPiper } from '../../src/tts/index.ts';
import { asteriskOptions, until } from '../support/asterisk.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';
import { startRig } from '../support/service.ts';

/** Tones pause for longer than speech, and a busy machine for longer still. */
const listen = { wait: 'agent-finished', quietMs: 1500 } as const;
const PRICE = {
  en: 'That is €12.50, and it is due on the third of May at 9:30.',
  de: 'Das kostet 12,50 €, fällig am 3. Mai um 9:30 Uhr.',
};
const BYE = 'Auf Wiederhören.';
const LONG = 'Bitte bringen Sie 2 Fotos und den Brief vom 24. Dezember mit, und kommen Sie 10 Minuten früher in die Praxis.';
/** The dialplan of the tests names booking. */
const FLOW = `flow: booking
language: en
languages: [en, de]
start: greeting
personas: { second: { voice: bert } }
slots:
  way:
    type: choice
    choices:
      german: { words: { en: [german], de: [deutsch] }, spoken: { en: german, de: deutsch }, key: '2' }
      other: { words: { en: [somebody else], de: [jemand anders] }, spoken: { en: somebody else, de: jemand anders }, key: '3' }
  more: { type: yes-no }
prompts:
  greeting: { en: Welcome to the museum., de: Willkommen im Museum. }
  price: { en: "${PRICE.en}", de: "${PRICE.de}" }
  ask: { en: 'What can I do for you?', de: 'Was darf es sein?' }
  long: { en: Come early., de: "${LONG}" }
  bye: { en: Goodbye., de: "${BYE}" }
steps:
  greeting: { say: greeting, kind: notice, next: price }
  price: { say: price, next: ask }
  ask: { ask: way, prompt: ask, next: choose }
  choose:
    route: [{ when: way == "german", language: de, next: again }, { when: way == "other", persona: second, next: long }]
    otherwise: long
  again: { say: price, next: ask_again }
  ask_again: { ask: more, prompt: ask, next: other }
  other: { route: [{ when: more, persona: second, next: long }], otherwise: long }
  long: { say: long, next: bye }
  bye: { end: hangup, prompt: bye }
`;

test('a call in several Piper voices', { timeout: 240_000 }, async (t) => {
  const folder = await testFolder();
  const place = async (name: string, speakers: number, language: string): Promise<string> => {
    const { model, settings } = smallVoice({ speakers });
    const file = join(folder, `${name}.onnx`);
    await writeFile(file, model);
    await writeFile(`${file}.json`, settings.replace('"en-us"', `"${language}"`));
    return file;
  };
  const english = await place('english', 1, 'en-us');
  const german = await place('german', 2, 'de');
  await writeFile(join(folder, 'booking.yaml'), FLOW);
  const postgres = await startPostgres();
  const asterisk = await startPrivateAsterisk(await asteriskOptions(t, {}));
  t.teardown(async () => {
    await asterisk.stop();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });
  const database = await postgres.database();
  const rig = await startRig({
    folder: join(folder, 'parley'),
    asterisk,
    databaseUrl: database.url(),
    mediaPort: 29_400,
    more: `flows: { directory: "${folder}", default: booking }
tts:
  engine: piper
  models:
    plain: { file: "${english}", languages: [en] }
    anna: { file: "${german}", languages: [de], speaker: speaker-0 }
    bert: { file: "${german}", languages: [de], speaker: 1, rate: 1.1 }
`,
  });
  t.teardown(() => rig.stop());
  await until('the link to Asterisk', () => rig.service.runner.linkUp);
  const own = createPiper({
    voices: {
      plain: { model: english, languages: ['en'] },
      anna: { model: german, languages: ['de'], speaker: 'speaker-0' },
      bert: { model: german, languages: ['de'], speaker: 1, rate: 1.1 },
    },
    logger: silentLogger,
  });
  await own.start();
  t.teardown(() => own.stop());

  // Both calls first: looking for voices in a recording keeps this process busy for longer than its line to the PBX stands.
  const whole = await rig.call([listen, { keys: '2' }, listen, { keys: '1' }, { wait: 'hangup' }]);
  await until('the end of the call', () => rig.types().includes('call.ended'));
  const said = rig.of('agent.said');
  rig.events.splice(0);
  await rig.call([
    listen,
    { keys: '2' },
    listen,
    { keys: '1' },
    { interrupt: { afterMs: 1500, say: 'i want to speak to a person' } },
    { pauseMs: 3000 },
    { hangup: true },
  ]);
  await until('the end of the call', () => rig.types().includes('call.ended'));
  const cut = rig.of('agent.said').find(({ body }) => body.interrupted && body.prompt === 'long');

  await t.test('the language changes the voice and how it reads, the persona the speaker; every word is counted', async (t) => {
    t.equal(whole.problem, null);
    const texts: readonly [string, SpeechOptions, boolean, string][] = [
      [PRICE.en, { language: 'en' }, true, 'English, by the English voice'],
      [PRICE.de, { language: 'de' }, true, 'German, by the first speaker of the German voice'],
      [PRICE.de, { language: 'en' }, false, 'not read as English'],
      [BYE, { language: 'de', voice: 'bert' }, true, 'the persona is the second speaker, faster by a tenth'],
      [BYE, { language: 'de' }, false, 'not the first speaker'],
    ];
    const prompts = await Promise.all(texts.map(async ([text, options, , id]) => promptFrom(id, await own.synthesise(text, options))));
    const found = findPrompts(whole.heard, prompts);
    for (const [n, [, , isExpected, why]] of texts.entries()) {
      t.equal(
        (found[n] ?? []).some(({ complete, peak }) => complete && peak > 0.9),
        isExpected,
        why,
      );
    }
    t.ok(said.length >= 6);
    for (const { body, content } of said) {
      t.equal(body.heardWords, body.words, content?.['text'] ?? '');
      t.match(body.engines?.[0], { engine: 'piper' });
    }
    const german = said.filter(({ body }) => body.prompt === 'price').at(-1);
    t.match(german?.body.engines, [{ cached: true }], 'rendered ahead in every language of the flow');
  });

  await t.test('a caller breaks into the second speaker: the log ends with the word that went out last', async (t) => {
    const text = cut?.content?.['text'] ?? '';
    t.ok(text !== '' && LONG.startsWith(text) && text.length < LONG.length, `"${text}"`);
    const clip = await own.synthesise(LONG, { language: 'de', voice: 'bert' });
    const { sentMs = 0, heardWords = 0 } = cut?.body ?? {};
    const lengthMs = (clip.pcm.length * 1000) / clip.rateHz;
    t.ok(sentMs > 1000 && sentMs < lengthMs, `${sentMs} of ${lengthMs} ms`);
    const byMarks = heardOf({ ...clip, text: LONG, lengthSamples: clip.pcm.length }, (sentMs * clip.rateHz) / 1000);
    t.equal(heardWords, byMarks.heardWords, 'by the marks of another rendering of the same voice');
    t.equal(text, byMarks.text);
  });
});
