import { test } from 'tap';

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
