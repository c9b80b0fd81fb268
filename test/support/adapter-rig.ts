/** Callers' voices for engine servers that know their script: every word has a loudness of its own, so that it is found again. */
import { Worker } from 'node:worker_threads';
import { envelopeOf, type ScriptWord } from '../../bench/servers/oracle.ts';
import type { Script } from '../../bench/servers/calls.ts';
import { createTestRing, type TestRing } from './stt-ring.ts';

const SAMPLES_PER_MS = 16;
const GAP_MS = 120;

export interface Said {
  readonly pcm: Int16Array;
  readonly words: readonly ScriptWord[];
}

/** 16 kHz; a word's length and its loudness every 10 ms come from its letters. */
export function said(text: string): Said {
  const words: ScriptWord[] = [];
  let atMs = 200;
  for (const word of text.split(' ').filter((part) => part !== '')) {
    const toMs = atMs + 10 * (12 + 6 * word.length);
    words.push({ text: word, fromMs: atMs, toMs });
    atMs = toMs + GAP_MS;
  }
  const pcm = new Int16Array((atMs + 100) * SAMPLES_PER_MS);
  for (const { text: word, fromMs, toMs } of words) {
    let state = Array.from(word).reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7);
    for (let ms = fromMs; ms < toMs; ms += 10) {
      state = (state * 1664525 + 1013904223) >>> 0;
      const amplitude = 1000 + (state >>> 20) * 3;
      for (let n = ms * SAMPLES_PER_MS; n < (ms + 10) * SAMPLES_PER_MS; n++) pcm[n] = Math.round(amplitude * Math.sin(n / 5));
    }
  }
  return { pcm, words };
}

/** All that callers say, one after another, as one script: a recogniser has one address for all its calls. */
export class Callers {
  readonly ring: TestRing = createTestRing(32, 1 << 17);
  readonly #envelope: number[] = [];
  readonly #words: ScriptWord[] = [];
  #slot = 0;

  /** Opens a call in which this is said. */
  call(text: string): { slot: number; generation: number; fromSample: number; toSample: number } {
    const slot = this.#slot++;
    const generation = this.ring.open(slot);
    const { pcm, words } = said(text);
    const audio = pcm.length > 0 && words.length > 0 ? pcm : new Int16Array(32_000);
    this.ring.write(slot, audio);
    const beginMs = this.#envelope.length * 10;
    this.#envelope.push(...envelopeOf({ rateHz: 16_000, pcm: audio }));
    this.#words.push(...words.map((word) => ({ ...word, fromMs: word.fromMs + beginMs, toMs: word.toMs + beginMs })));
    return { slot, generation, fromSample: 0, toSample: audio.length };
  }

  get script(): Script {
    return { envelope: this.#envelope, words: this.#words };
  }
}

export interface Scripter {
  /** The server knows the script when this returns: a suite's calls begin at once. */
  now(origin: string, id: string, script: Script): void;
  stop(): Promise<void>;
}

/** A thread that talks to the servers' control door while this one waits for it. */
export function startScripter(): Scripter {
  const done = new Int32Array(new SharedArrayBuffer(4));
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    parentPort.on('message', async ({ url, body }) => {
      const how = await fetch(url, { method: 'PUT', body }).then((response) => (response.ok ? 1 : 2), () => 2);
      Atomics.store(workerData, 0, how);
      Atomics.notify(workerData, 0);
    });`;
  const worker = new Worker(program, { eval: true, workerData: done });
  return {
    now: (origin, id, script) => {
      Atomics.store(done, 0, 0);
      worker.postMessage({ url: `${origin}/_control/calls/${id}`, body: JSON.stringify(script) });
      Atomics.wait(done, 0, 0, 10_000);
      if (Atomics.load(done, 0) !== 1) throw new Error('the server took no script');
    },
    stop: () => worker.terminate().then(() => undefined),
  };
}
