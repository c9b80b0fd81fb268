import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'tap';

import { ResilientTts } from '../../src/engines/index.ts';
import { systemClock, systemTimers } from '../../src/observability/index.ts';
import { createEspeak, createPhraseCache, createScriptedTts } from '../../src/tts/index.ts';
import { keepingLogger } from '../support/quiet-log.ts';
import { ttsSuite } from './tts-suite.ts';

void test('the scripted synthesiser keeps the contract', (t) => {
  ttsSuite(t, createScriptedTts);
  t.end();
});

void test('espeak-ng keeps the contract', (t) => {
  ttsSuite(t, () => createEspeak({ logger: keepingLogger() }));
  t.end();
});

void test('the phrase cache keeps the contract', (t) => {
  ttsSuite(t, () => createPhraseCache(createScriptedTts(), { maxEntries: 10 }));
  t.end();
});

void test('a chain of synthesisers keeps the contract', (t) => {
  ttsSuite(
    t,
    () =>
      new ResilientTts([{ tts: createScriptedTts() }, { tts: createScriptedTts(), name: 'spare' }], {
        clock: systemClock,
        timers: systemTimers,
      }),
  );
  t.end();
});

void test('espeak-ng: faults', async (t) => {
  const children = new Set<number>();
  await t.test('program or voice missing', async (t) => {
    const none = createEspeak({ logger: keepingLogger(), program: '/nonexistent/espeak-ng' });
    await t.rejects(none.start(), { code: 'TTS_FAILED', message: /apt-get install espeak-ng/ });
    const voice = createEspeak({ logger: keepingLogger(), voices: { en: 'nosuchvoice' } });
    await t.rejects(voice.start(), { code: 'TTS_FAILED', message: /nosuchvoice/ });
    const argument = createEspeak({ logger: keepingLogger() });
    await argument.start();
    await t.rejects(argument.synthesise('hello', { language: '--compile=en' }), { code: 'TTS_FAILED' }, 'a language is no argument');
    await argument.stop();
  });
  await t.test('voice and rate of a single text', async (t) => {
    const tts = createEspeak({ logger: keepingLogger() });
    await tts.start();
    t.teardown(() => tts.stop());
    const spoken = async (options: object): Promise<Int16Array> =>
      (await tts.synthesise('good morning to you all', { language: 'en', ...options })).pcm;
    const length = async (options: object): Promise<number> => (await spoken(options)).length;
    const first = await spoken({});
    const usual = first.length;
    t.ok((await length({ rate: 1.5 })) < 0.85 * usual, 'faster is shorter');
    t.ok((await length({ rate: 0.7 })) > 1.15 * usual, 'slower is longer');
    t.ok((await length({ voice: 'en-gb' })) > 0);
    await t.rejects(length({ voice: '-f/etc/passwd' }), { code: 'TTS_FAILED' }, 'a voice is a name');
    for (let rate = 5; rate < 12; rate++) await length({ rate: rate / 10 });
    await t.rejects(
      Promise.all([13, 14, 15, 16, 17].map((rate) => length({ rate: rate / 10 }))),
      { code: 'TTS_FAILED' },
      'not a process for every whim',
    );
    t.same(await spoken({}), first, 'the usual voice is still there, sample for sample');
  });
  await t.test('a program that says nothing is given up, the next text starts it again', async (t) => {
    const deaf = createEspeak({ logger: keepingLogger(), program: 'test/fixtures/espeak-deaf.sh', timeoutMs: 300 });
    await t.rejects(deaf.start(), { code: 'TTS_FAILED', message: /300 ms/ });
    await t.rejects(deaf.synthesise('hello', { language: 'en' }), { code: 'TTS_FAILED', message: /300 ms/ });
    await t.rejects(deaf.synthesise('hello', { language: 'en' }), { code: 'TTS_FAILED' });
    await deaf.stop();
  });
  await t.test('a program that is killed is started again', async (t) => {
    for (let tries = 0; tries < 100 && espeaks().length > 0; tries++) await pause(20);
    const tts = createEspeak({ logger: keepingLogger() });
    await tts.start();
    t.teardown(() => tts.stop());
    for (const pid of espeaks()) children.add(pid);
    t.equal(children.size, 1);
    for (const pid of children) process.kill(pid, 'SIGSTOP');
    const hanging = tts.synthesise('hello', { language: 'en' }).catch((error: unknown) => error);
    for (const pid of children) process.kill(pid, 'SIGKILL');
    t.match(await hanging, { code: 'TTS_FAILED' });
    t.ok((await tts.synthesise('hello', { language: 'en' })).pcm.length > 0);
    t.notSame(espeaks(), [...children]);
  });
  await t.test('nothing is left running', async (t) => {
    for (let tries = 0; tries < 100 && espeaks().length > 0; tries++) await pause(20);
    t.same(espeaks(), []);
  });
});

/** Running espeak-ng programs that are children of this process. */
function espeaks(): number[] {
  return execFileSync('ps', ['-e', '-o', 'pid=,ppid=,stat=,comm='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, state, name]) => parent === String(process.pid) && name === 'espeak-ng' && state?.startsWith('Z') === false)
    .map(([pid]) => Number(pid));
}
