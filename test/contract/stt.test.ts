import { test } from 'tap';

import { ResilientStt } from '../../src/engines/index.ts';
import { systemClock, systemTimers } from '../../src/observability/index.ts';
import { createScriptedStt, createWhisper, spoken } from '../../src/stt/index.ts';
import type { Word } from '../../src/contracts/index.ts';
import { keepingLogger } from '../support/quiet-log.ts';
import { callerAudio } from '../support/phone-speech.ts';
import { createTestRing } from '../support/stt-ring.ts';
import { sttSuite } from './stt-suite.ts';

void test('the scripted recogniser keeps the contract', (t) => {
  sttSuite(t, async () => {
    const says = new Map<string, readonly Word[]>();
    const stt = createScriptedStt({ says: (callId) => says.get(callId) ?? [] });
    await stt.start();
    return {
      stt,
      call: (callId, text) => {
        const words = spoken(text, 1000);
        says.set(callId, words);
        return { slot: 0, generation: 1, fromSample: 0, toSample: (words.at(-1)?.toSample ?? 16000) + 1000 };
      },
      end: () => stt.stop(),
    };
  });
  t.end();
});

void test('a chain of recognisers keeps the contract, whichever of them answers', (t) => {
  for (const broken of [false, true])
    t.test(broken ? 'the first one is dead' : 'all are well', (t) => {
      sttSuite(t, async () => {
        const says = new Map<string, readonly Word[]>();
        const script = (callId: string): readonly Word[] => says.get(callId) ?? [];
        const [one, two] = [createScriptedStt({ says: script }), createScriptedStt({ says: script })];
        const stt = new ResilientStt(
          [
            { stt: one, name: 'one' },
            { stt: two, name: 'two' },
          ],
          { clock: systemClock, timers: systemTimers },
        );
        await stt.start({ fd: -1, bytes: 0 });
        if (broken) one.crash();
        return {
          stt,
          call: (callId, text) => {
            const words = spoken(text, 1000);
            says.set(callId, words);
            return { slot: 0, generation: 1, fromSample: 0, toSample: (words.at(-1)?.toSample ?? 16000) + 1000 };
          },
          end: () => stt.stop(),
        };
      });
      t.end();
    });
  t.end();
});

void test('Whisper keeps the contract', (t) => {
  sttSuite(t, async () => {
    const ring = createTestRing(32, 1 << 17);
    const stt = createWhisper({
      program: '.runtime/whisper/parley-whisper',
      model: 'models/builtin/ggml-phone-test.bin',
      logger: keepingLogger(),
    });
    await stt.start(ring.audio);
    let slot = 0;
    return {
      stt,
      call: (_callId, text) => {
        const here = slot++;
        const generation = ring.open(here);
        const audio = text === '' ? new Int16Array(32000) : callerAudio(text);
        ring.write(here, audio);
        return { slot: here, generation, fromSample: 0, toSample: audio.length };
      },
      end: async () => {
        await stt.stop();
        ring.free();
      },
    };
  });
  t.end();
});
