/**
 * `npm run bench -- engines [--quick yes] [--only tails,memory]`: the recogniser program against whisper.cpp called plainly and against
 * whisper-server, its behaviour under load, espeak-ng, and a phrase of the cache on its way to the line. Peers run in the same minutes on
 * the same cores. Two engines have benches of their own: `-- piper` (first audio, stitching), `-- llm` (clients, aborts).
 * Rows marked "random weights" time a base-size model that knows no words.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

import type { Logger } from '../src/contracts/index.ts';
import { createEspeak, createPhraseCache } from '../src/tts/index.ts';
import { callerAudio } from '../test/support/phone-speech.ts';
import { createTestRing } from '../test/support/stt-ring.ts';
import { firstPackets } from './support/cached-phrase.ts';
import { randomWhisper } from './support/random-whisper.ts';
import { benchResult, percentile, type BenchResult, type BenchRow } from './support/result.ts';
import { startRawWorker, type RawWorker } from './support/whisper-client.ts';
import { startWhisperServer } from './support/whisper-server.ts';

const PROGRAM = '.runtime/whisper/parley-whisper';
const BUILD = '.runtime/whisper/build';
const SCRATCH = '.runtime/bench';
const FIXTURE = 'models/builtin/ggml-phone-test.bin';
const SENTENCE = 'i want to book a table for four on friday at seven';

const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
const median = (figures: readonly number[]): number => percentile(figures, 0.5);
const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

interface Bench {
  readonly rounds: number;
  readonly base: string;
}

/** A worker with one caller per slot, all of whom have said `texts`. */
async function withWorker<T>(
  model: string,
  args: readonly string[],
  texts: readonly string[],
  use: (worker: RawWorker, samples: readonly number[]) => Promise<T>,
): Promise<T> {
  const ring = createTestRing(texts.length, 1 << 17);
  const worker = await startRawWorker(PROGRAM, ['--model', model, ...args], ring.audio.fd);
  try {
    const samples = texts.map((text, slot) => {
      const audio = callerAudio(text);
      const generation = ring.open(slot);
      ring.write(slot, audio);
      worker.send({ op: 'open', session: slot + 1, slot, generation, language: 'en' });
      return audio.length;
    });
    return await use(worker, samples);
  } finally {
    await worker.stop();
    ring.free();
  }
}

/** The plain caller of whisper.cpp: one decode per line. */
function startBare(model: string, samples: number, audioContext: number): { decode: () => Promise<number>; stop: () => void } {
  const tokens = Math.floor((samples / 16000) * 8) + 8;
  const child = spawn(`${BUILD}/bare-whisper`, [model, `${SCRATCH}/sentence.s16`, 1, audioContext, tokens].map(String), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    decode: async () => {
      child.stdin.write('\n');
      return (JSON.parse(String((await lines.next()).value)) as { ms: number }).ms;
    },
    stop: () => child.stdin.end(),
  };
}

/** One lane, one thread, the same audio, turn about with the plain caller: what the pipe, the ring and the queue cost. */
async function overhead(label: string, model: string, audioContext: number, runs: number): Promise<BenchRow> {
  return withWorker(model, ['--lanes', '1', '--threads', '1'], [SENTENCE], async (worker, [samples = 0]) => {
    const bare = startBare(model, samples, audioContext);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let run = 0; run <= runs; run++) {
      const peerMs = await bare.decode();
      const startedMs = performance.now();
      const { atMs } = await worker.decode({ session: 1, toSample: samples }).answer;
      if (run === 0) continue; // page faults
      theirs.push(peerMs);
      ours.push(atMs - startedMs);
    }
    bare.stop();
    const [mine, peer] = [median(ours), median(theirs)];
    const moreMs = median(ours.map((ms, index) => ms - (theirs[index] ?? 0)));
    return {
      metric: `${label}: decode of ${round(samples / 16000, 1)} s, request to answer, p50 (of pairs: ${round(moreMs)} ms more)`,
      value: round(mine),
      unit: 'ms',
      peer: `bare whisper.cpp ${round(peer)} ms`,
      ratio: round(mine / peer, 3),
      goal: '<= 1.05 or + 3 ms',
      met: mine / peer <= 1.05 || moreMs <= 3,
    };
  });
}

/** Aborts at random moments: from the request to the answer, when the lane is free again. */
async function aborts({ base, rounds }: Bench): Promise<BenchRow> {
  return withWorker(base, ['--lanes', '1', '--threads', '1'], [SENTENCE], async (worker, [samples = 0]) => {
    const figures: number[] = [];
    for (let run = 0; run < rounds * 6; run++) {
      const { id, answer } = worker.decode({ session: 1, toSample: samples });
      await pause(10 + ((run * 37) % 150));
      const startedMs = performance.now();
      worker.send({ op: 'abort', id });
      const { atMs, error } = await answer;
      if (error === 'aborted') figures.push(atMs - startedMs);
    }
    const p95 = percentile(figures, 0.95);
    return {
      metric: `abort to idle, p95 of ${figures.length} (base size, random weights)`,
      value: round(p95),
      unit: 'ms',
      goal: '<= 20 ms',
      met: p95 <= 20,
    };
  });
}

/** The tail of one caller while three others keep the lanes busy with partials. */
async function tails({ rounds }: Bench): Promise<BenchRow> {
  const others = ['i have a question about my bill', 'i need help with my order', 'transfer me to support please'];
  return withWorker(FIXTURE, [], [SENTENCE, ...others], async (worker, samples) => {
    const tail = async (): Promise<number> => {
      const startedMs = performance.now();
      return (await worker.decode({ session: 1, toSample: samples[0] ?? 0 }).answer).atMs - startedMs;
    };
    let load = false;
    let over = false;
    const callers = others.map(async (_, index) => {
      while (!over) {
        if (load) void worker.decode({ session: index + 2, toSample: samples[index + 1] ?? 0, kind: 'partial' }).answer;
        await pause(250);
      }
    });
    // Turn about in short stretches: both see the same neighbours on the machine.
    const lone: number[] = [];
    const loaded: number[] = [];
    for (let stretch = 0; stretch < rounds * 4; stretch++) {
      for (load of [false, true]) {
        await pause(300);
        for (let run = 0; run < 6; run++) {
          await pause(60 + ((run * 31) % 90));
          (load ? loaded : lone).push(await tail());
        }
      }
    }
    over = true;
    await Promise.all(callers);
    const [p95, alone] = [percentile(loaded, 0.95), percentile(lone, 0.95)];
    return {
      metric: 'tail decode p95 while three others ask for partials every 250 ms (test fixture)',
      value: round(p95),
      unit: 'ms',
      peer: `alone ${round(alone)} ms`,
      ratio: round(p95 / alone, 3),
      goal: '<= 1.5 x',
      met: p95 / alone <= 1.5,
    };
  });
}

async function memory({ base }: Bench): Promise<BenchRow[]> {
  const texts = Array.from({ length: 16 }, () => 'yes please');
  const resident = (lanes: number | 'usual', calls: number): Promise<number> =>
    withWorker(base, lanes === 'usual' ? [] : ['--lanes', String(lanes), '--threads', '1'], texts, async (worker, samples) => {
      const decodes = samples.slice(0, calls).map((toSample, index) => worker.decode({ session: index + 1, toSample }).answer);
      await Promise.all(decodes);
      return worker.residentMiB();
    });
  const [one, calls, lanes, four] = [await resident(1, 1), await resident(1, 16), await resident(4, 4), await resident('usual', 4)];
  const [perCall, perLane, ofFour] = [(calls - one) / 15, (lanes - one) / 3, (four - one) / 3];
  return [
    { metric: 'memory: model of 141 MiB, one lane (base size, random weights)', value: round(one, 1), unit: 'MiB' },
    { metric: 'memory per further call', value: round(perCall, 2), unit: 'MiB', goal: '<= 25 MiB', met: perCall <= 25 },
    {
      metric: 'memory per further call, four calls at once on the usual lanes',
      value: round(ofFour, 2),
      unit: 'MiB',
      goal: '<= 25 MiB',
      met: ofFour <= 25,
    },
    { metric: 'memory per further decode in flight', value: round(perLane, 1), unit: 'MiB' },
  ];
}

const TURNS = [
  SENTENCE,
  'yes that is right',
  'no that is wrong',
  'saturday at eight',
  'what are your opening hours',
  'my order number is five six seven',
  'speak to an agent please',
  'cancel my appointment please',
  'i do not know',
  'one two three four five',
  'are you a machine',
  'tomorrow morning please',
  'book an appointment on monday',
  'where is my order',
  'goodbye',
];

/** A partial asked for at the last voiced sample against the tail decode 300 ms later. */
async function agreement(): Promise<BenchRow> {
  let same = 0;
  let right = 0;
  for (const text of TURNS) {
    await withWorker(FIXTURE, ['--lanes', '1'], [text], async (worker, [samples = 0]) => {
      const early = await worker.decode({ session: 1, toSample: samples - 2400, kind: 'partial' }).answer;
      const late = await worker.decode({ session: 1, toSample: samples }).answer;
      if (early.text === late.text) same++;
      if (late.text === text) right++;
    });
  }
  const share = same / TURNS.length;
  return {
    metric: `partial at the last voiced sample = final text, ${TURNS.length} turns (${right} heard right; test fixture)`,
    value: round(share * 100, 0),
    unit: '%',
    goal: '>= 60 %',
    met: share >= 0.6,
  };
}

/** Four callers at once, again and again, on the same cores. */
async function throughput({ rounds }: Bench): Promise<BenchRow[]> {
  const server = await startWhisperServer(FIXTURE, SCRATCH);
  if (!server) return [];
  const wave = callerAudio(SENTENCE);
  const ask = (): Promise<string> => server.transcribe(wave);
  const perSecond = async (one: (caller: number) => Promise<unknown>, turns: number): Promise<number> => {
    const startedMs = performance.now();
    await Promise.all(
      [1, 2, 3, 4].map(async (caller) => {
        for (let turn = 0; turn < turns; turn++) await one(caller);
      }),
    );
    return (4 * turns * 1000) / (performance.now() - startedMs);
  };
  try {
    return await withWorker(FIXTURE, [], [SENTENCE, SENTENCE, SENTENCE, SENTENCE], async (worker, samples) => {
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let turn = 0; turn < rounds; turn++) {
        theirs.push(await perSecond(ask, 4));
        ours.push(await perSecond((caller) => worker.decode({ session: caller, toSample: samples[0] ?? 0 }).answer, 4));
      }
      const [mine, peer] = [median(ours), median(theirs)];
      const row = {
        metric: 'four calls at once (test fixture)',
        value: round(mine, 1),
        unit: 'turns/s',
        peer: `one whisper-server ${round(peer, 1)} turns/s`,
        ratio: round(mine / peer, 3),
        goal: '>= 1 x',
        met: mine >= peer,
      };
      return [row];
    });
  } finally {
    server.stop();
  }
}

async function speech({ rounds }: Bench): Promise<BenchRow[]> {
  const text = 'Your table for four on Friday at seven is booked. Is there anything else that I can do?';
  const tts = createPhraseCache(createEspeak({ logger: silent }), { maxEntries: 10 });
  await tts.start();
  const first: number[] = [];
  const whole: number[] = [];
  for (let run = 0; run < rounds * 8; run++) {
    const clip = await tts.synthesise(text, { language: 'en' });
    first.push(clip.firstMs);
    whole.push(clip.totalMs);
  }
  await tts.prerender([text], 'en');
  const startedMs = performance.now();
  for (let run = 0; run < 1000; run++) await tts.synthesise(text, { language: 'en' });
  const hitMs = (performance.now() - startedMs) / 1000;
  const packets = await firstPackets(tts, text, rounds * 20);
  await tts.stop();
  const delays = packets.map((packet) => packet.delayMs);
  const handed = packets.map((packet) => packet.handedMs);
  const missed = packets.filter((packet) => packet.slotsMissed > 0).length;
  return [
    { metric: 'espeak-ng, 88 characters: first samples, p50', value: round(median(first)), unit: 'ms' },
    { metric: 'espeak-ng, 88 characters: whole clip, p50', value: round(median(whole)), unit: 'ms' },
    { metric: 'espeak-ng, 88 characters: whole clip, p95', value: round(percentile(whole, 0.95)), unit: 'ms' },
    { metric: 'phrase cache hit, the look-up alone', value: round(hitMs, 4), unit: 'ms' },
    {
      metric: `phrase cache hit to the first packet at the PBX, p95 of ${delays.length} (p50 ${round(median(delays), 1)}; handed over within ${round(percentile(handed, 0.95), 2)} ms, ${missed} not in the next slot)`,
      value: round(percentile(delays, 0.95), 1),
      unit: 'ms',
      goal: 'next 20 ms slot',
      met: missed === 0,
    },
  ];
}

export async function run(options: Readonly<Record<string, string>>): Promise<BenchResult> {
  mkdirSync(SCRATCH, { recursive: true });
  execFileSync('bash', ['scripts/build-whisper.sh'], { stdio: 'inherit' });
  execFileSync('cmake', ['--build', BUILD, '--target', 'bare-whisper'], { stdio: 'ignore' });
  const sentence = callerAudio(SENTENCE);
  writeFileSync(`${SCRATCH}/sentence.s16`, Buffer.from(sentence.buffer));
  const bench: Bench = { rounds: options['quick'] === undefined ? 5 : 1, base: randomWhisper('base', SCRATCH) };
  const groups: Readonly<Record<string, () => Promise<readonly BenchRow[]>>> = {
    overhead: async () => [
      await overhead('test fixture', FIXTURE, 300, bench.rounds * 12),
      await overhead('base size, random weights', bench.base, 384, bench.rounds * 4),
    ],
    tails: async () => [await tails(bench)],
    aborts: async () => [await aborts(bench)],
    memory: () => memory(bench),
    agreement: async () => [await agreement()],
    throughput: () => throughput(bench),
    speech: () => speech(bench),
  };
  const rows: BenchRow[] = [];
  for (const name of options['only']?.split(',') ?? Object.keys(groups)) {
    const group = groups[name];
    if (group === undefined) throw new Error(`--only ${name}: there are ${Object.keys(groups).join(', ')}`);
    rows.push(...(await group()));
  }
  return benchResult('engines', rows);
}
