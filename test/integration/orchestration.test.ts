/** Models, tools and knowledge as the configuration wires them, against servers in processes of their own. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'tap';
import { type EngineServer, startServer } from '../../bench/servers/start.ts';
import { check } from '../../src/cli/check.ts';
import { simulate } from '../../src/cli/simulate.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import type { CallFacts, Dialogue, DialogueEffect, DialogueEvent } from '../../src/contracts/index.ts';
import { createDialogue, loadFlows, loadNotices } from '../../src/dialogue/index.ts';
import { silentLogger, systemClock as clock, systemTimers as timers } from '../../src/observability/index.ts';
import { createEngines, createErrands, createLlm, FlowDesk } from '../../src/parts/index.ts';
import { voiceLacks } from '../../src/parts/voices.ts';

const TODAY = '2026-11-20';

/** A folder with a configuration and flows; `config` gets what stands in it. */
async function site(t: { teardown: (end: () => unknown) => void }, flows: Readonly<Record<string, string>>, more: string) {
  const folder = await mkdtemp(join(tmpdir(), 'parley-orchestration-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'flows'));
  await mkdir(join(folder, 'facts'));
  for (const [name, text] of Object.entries(flows)) await writeFile(join(folder, 'flows', name), text);
  const file = join(folder, 'parley.yaml');
  const [first = ''] = Object.keys(flows);
  const name = first.replace('.yaml', '');
  await writeFile(file, `flows: { directory: ${folder}/flows, default: ${name}, facts: ${folder}/facts }\n${more}`);
  return { folder, file, flows: join(folder, 'flows'), facts: join(folder, 'facts') };
}

/** One caller in words, with the errands of a configuration on real time. */
class Line {
  readonly effects: DialogueEffect[] = [];
  readonly events: DialogueEvent[] = [];
  readonly #dialogue: Dialogue<unknown>;
  readonly #errands: Awaited<ReturnType<typeof createErrands>>;
  #state: unknown;
  #open = 0;

  constructor(dialogue: Dialogue<unknown>, errands: Awaited<ReturnType<typeof createErrands>>, facts: CallFacts = {}) {
    this.#dialogue = dialogue;
    this.#errands = errands;
    this.#state = dialogue.begin();
    this.tell({ t: 'start', variables: {}, facts });
  }

  tell(event: DialogueEvent): void {
    this.events.push(event);
    const [state, effects] = this.#dialogue.step(this.#state, event);
    this.#state = state;
    this.effects.push(...effects);
    for (const effect of effects) {
      if (effect.t !== 'think' && effect.t !== 'tool' && effect.t !== 'approval') continue;
      this.#open++;
      const about = { callId: 'c1', context: {}, signal: new AbortController().signal };
      this.#errands.desk.begin(effect, about, (answer) => {
        if (answer.t !== 'errand-slow') this.#open--;
        this.tell(answer);
      });
    }
  }

  async hear(text: string): Promise<this> {
    this.tell({ t: 'heard', text, confidence: 0.95 });
    while (this.#open > 0) await pause(5);
    return this;
  }

  /** Who answered, thought by thought. */
  get answeredBy(): unknown[] {
    return this.events.flatMap((event) => (event.t === 'thought' ? [event.answer?.by ?? null] : []));
  }
  get words(): string {
    return this.effects.flatMap((effect) => (effect.t === 'say' ? [effect.text] : [])).join(' ');
  }
}

async function open(config: Config, flow: string) {
  const flows = await loadFlows(config.flows.directory, { factsDirectory: config.flows.facts });
  const loaded = flows.get(flow);
  if (loaded === undefined) throw new Error(`no flow ${flow}`);
  const dialogue = createDialogue(loaded.flow, { ...loaded, today: TODAY, desks: ['host'] });
  const model = await createLlm(config, silentLogger);
  const approvers = { ask: () => Promise.resolve('denied' as const) };
  const errands = await createErrands(config, { clock, timers, approvers, model, own: {}, logger: silentLogger });
  return { dialogue, errands, model };
}

const CHOOSER = `
flow: chooser
language: en
start: choose
budget: 0.05
slots: { wish: { type: free } }
prompts: { wish: "What is it?", talk: "Go on.", bye: "Good bye.", bills: "Bills." }
personas: { calm: { style: Slow., model: careful } }
models: { small: { accuracy: 0.8, cost: 0.001 }, careful: { accuracy: 0.95, cost: 0.02 } }
steps:
  choose:
    route:
      - { when: history.calls > 5, accuracy: 0.9 }
      - { when: history.calls == 5, persona: calm }
    otherwise: wish
  wish: { ask: wish, prompt: wish, next: way }
  way:
    route: []
    model: { slot: wish, choices: { bills: a bill, talk: anything else }, use: small }
    otherwise: talk
  bills: { end: hangup, prompt: bills }
  talk: { agent: Help., prompt: talk, next: bye, otherwise: bye }
  bye: { end: hangup, prompt: bye }
`;

const models = (server: EngineServer, careful = server.callUrl('careful')): string => `
llm:
  engine: ollama
  name: small
  model: stand-in
  url: ${server.callUrl('small')}
  named:
    careful:
      engine: ollama
      model: stand-in
      url: ${careful}
      timeoutMs: 800
      price: { currency: EUR, promptPerMillion: 1000, completionPerMillion: 2000 }
`;

test('a model that a flow chooses answers, at its price; down, the chain stands in', async (t) => {
  const server = await startServer('ollama');
  t.teardown(() => server.stop());
  const answers = async (careful: object): Promise<void> => {
    await server.script('small', { replies: [{ match: 'rent', parts: 'talk' }, { parts: 'I am the small one.' }] });
    await server.script('careful', { replies: [{ parts: 'I am the careful one.', ...careful }] });
  };
  const { file, flows } = await site(t, { 'chooser.yaml': CHOOSER }, models(server));
  const { dialogue, errands, model } = await open(await loadConfig(file), 'chooser');
  t.teardown(() => errands.close());
  await model?.start();
  t.teardown(() => model?.stop());
  const many = { history: { calls: 7, lastOutcome: '', daysSince: 1 } };

  await answers({});
  const regular = await new Line(dialogue, errands, many).hear('it is about my rent');
  t.match(regular.answeredBy, [{ engine: 'small' }], 'the small model routes, as the step says');
  await regular.hear('why so dear');
  t.match(regular.words, /I am the careful one/);
  t.match(regular.answeredBy[1], { engine: 'careful', cost: { amount: Number, currency: 'EUR' } });
  const calm = new Line(dialogue, errands, { history: { calls: 5, lastOutcome: '', daysSince: 1 } });
  await (await calm.hear('it is about my rent')).hear('why so dear');
  t.match(calm.answeredBy, [{ engine: 'small' }, { engine: 'careful' }], 'as the persona says');
  const poor = new Line(dialogue, errands, { ...many, budget: 0.01 });
  await (await poor.hear('it is about my rent')).hear('why so dear');
  t.match(poor.answeredBy, [{ engine: 'small' }, { engine: 'small' }], 'what cannot be paid is not asked');

  for (const fault of ['status-500', 'hang-up', 'never']) {
    await answers({ fault });
    const unlucky = new Line(dialogue, errands, many);
    await (await unlucky.hear('it is about my rent')).hear('why so dear');
    t.match(unlucky.answeredBy[1], { engine: 'small' }, fault);
    t.match(unlucky.words, /I am the small one/, fault);
  }

  t.equal(await check({ config: file }), 0);
  await writeFile(join(flows, 'chooser.yaml'), CHOOSER.replaceAll('careful', 'carefull'));
  await t.rejects(check({ config: file }), {
    code: 'FLOW_INVALID',
    message: new RegExp(`chooser\\.yaml:9: models\\.carefull: is a model that .*; did you mean careful\\?$`),
  });
  await writeFile(join(flows, 'chooser.yaml'), CHOOSER.replaceAll('careful', 'other'));
  await t.rejects(check({ config: file }), { message: /expected one of small, careful, or llm\.named\.other in .*parley\.yaml/ });
});

test('simulate: which model answers is the test\u2019s to say; one that is down', async (t) => {
  const tests = `
tests:
  - name: chosen
    facts: { history: { calls: 7 } }
    model: [{ says: talk, by: small }, { says: It is fine., by: careful }]
    turns: [{ says: it is my rent }, { says: why, hears: agent_talk }]
  - name: down
    modelsDown: careful
    facts: { history: { calls: 7 } }
    model: [{ says: talk, by: small }, { says: It is fine., by: usual }]
    turns: [{ says: it is my rent }, { says: why, hears: agent_talk }]
  - name: wrong
    model: [{ says: talk, by: careful }]
    turns: [{ says: it is my rent }]
`;
  const { flows, facts } = await site(t, { 'chooser.yaml': CHOOSER, 'chooser.test.yaml': tests }, '');
  const lines: string[] = [];
  t.equal(await simulate({ flow: 'chooser', directory: flows, facts, print: (line) => lines.push(line) }), 1);
  t.strictSame(lines, [
    'passed  chosen',
    'passed  down',
    'FAILED  wrong',
    '        thought 1 came from the model "small", expected "careful"',
    'chooser: 3 conversations, 1 failed',
  ]);
});

const TONGUES = `
flow: tongues
language: en
languages: [en, de]
start: hello
personas: { calm: { voice: anna } }
prompts: { hello: { en: Good morning., de: Guten Morgen. } }
steps:
  hello: { end: hangup, prompt: hello }
`;

test('a language without a voice: check says so with its line, and the flow takes no calls', async (t) => {
  const home = await site(t, { 'tongues.yaml': TONGUES }, 'tts: { engine: piper-http, url: "http://127.0.0.1:9", voices: { en: alba } }');
  await t.rejects(check({ config: home.file }), {
    code: 'CONFIG_INVALID',
    message: /flows\.default: flow 'tongues' lacks a voice for "de" of .*tongues\.yaml:4 \(tts\.voices\.de\)$/,
  });
  const model = join(home.folder, 'voice.onnx');
  await writeFile(model, '');
  const piper = (languages: string, more = ''): string =>
    `flows: { directory: ${home.flows}, default: tongues, facts: ${home.facts} }\n` +
    `tts: { engine: piper, models: { alba: { file: "${model}", languages: ${languages} } }${more} }\n`;
  const lacks = async (text: string): Promise<string> => {
    await writeFile(home.file, text);
    const config = await loadConfig(home.file);
    const loaded = (await loadFlows(home.flows, { factsDirectory: home.facts })).get('tongues');
    return loaded === undefined
      ? 'no flow'
      : voiceLacks(loaded, config)
          .map((lack) => lack.replace(home.flows, ''))
          .join('|');
  };
  t.equal(await lacks(piper('[en]')), 'a voice for "de" of /tongues.yaml:4 (tts.models)|the voice "anna" of /tongues.yaml:6 (tts.models)');
  t.equal(
    await lacks(
      piper('[en, de]', ', then: [{ engine: piper-http, url: "http://127.0.0.1:9", voices: { en: a } }]').replace('alba', 'anna'),
    ),
    'a voice for "de" of /tongues.yaml:4 (tts.then.0.voices.de)',
    'nor may the one that stands in speak it with an English voice',
  );
  t.equal(await lacks(piper('[en, de]').replace('alba', 'anna')), '');
  t.equal(await lacks(piper('[en]').replace(/tts: .*/, '')), '', 'espeak-ng speaks them all');
});

test('every language of a flow is rendered ahead, its notices and bridges too', async (t) => {
  const { file } = await site(t, { 'tongues.yaml': TONGUES }, '');
  const config = await loadConfig(file);
  const room = await createEngines(config, silentLogger);
  await room.tts.start();
  t.teardown(() => room.tts.stop());
  const desk = await FlowDesk.open({ config, hasModel: false, logger: silentLogger });
  await room.prerender(desk.dialogues(TODAY), { de: { opener: ['Gut.'], wait: [] } });
  for (const [text, language] of [
    ['Good morning.', 'en'],
    ['Guten Morgen.', 'de'],
    ['Gut.', 'de'],
    ['Es tut mir leid, hier funktioniert gerade etwas nicht. Ich verbinde Sie mit einem Menschen.', 'de'],
  ] as const)
    t.match((await room.tts.synthesise(text, { language })).use, { cached: true }, text);
  const dialogue = desk.get('tongues', TODAY, 'c');
  const notice = (await loadNotices(config.privacy.notices)).byLanguage['de']?.disclosure ?? 'none';
  t.ok(dialogue?.otherTexts?.['de']?.includes(notice), 'the notices of the other language');
});
