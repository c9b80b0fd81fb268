/**
 * Noise suppression and echo cancellation before recognition: libspeexdsp against webrtc-audio-processing 0.3, on the same lines.
 * Written down: how much of the echo goes (ERLE, the second half of each line), what is left of it, how far noise falls between
 * words, what is done to the words themselves, how many words the built-in recogniser gets right, and CPU time for a call-frame.
 * Needs the Debian packages libspeexdsp1 and libwebrtc-audio-processing-dev, for this bench only.
 * Options: --sentences N (30), --words no (leaves the recogniser out).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { callerAudio, phoneLine, toRing } from '../test/support/phone-speech.ts';
import { createTestRing } from '../test/support/stt-ring.ts';
import { activeRms, agent, echoOf, mix, noise, overLine, RATE_HZ, seeded, VOICES } from './vad/audio.ts';
import { round } from './support/core-bench.ts';
import { benchResult, type BenchResult, type BenchRow } from './support/result.ts';
import { startRawWorker } from './support/whisper-client.ts';

const ROOT = join(import.meta.dirname, '..');
const PROGRAM = join(ROOT, 'build/bench/noise-filter');
const RECOGNISER = '.runtime/whisper/parley-whisper';
const MODEL = 'models/builtin/ggml-phone-test.bin';
const FRAME = RATE_HZ / 100;
const KINDS = ['speex', 'webrtc'] as const;
type Kind = (typeof KINDS)[number];
type What = 'noise' | 'echo' | 'both';

function build(): void {
  const headers = '/usr/include/webrtc_audio_processing';
  if (!existsSync(headers))
    throw new Error('this bench needs two Debian packages: apt-get install libspeexdsp1 libwebrtc-audio-processing-dev');
  const flags = ['-DWEBRTC_POSIX', '-DWEBRTC_AUDIO_PROCESSING_ONLY_BUILD', `-I${headers}`, '-lwebrtc_audio_processing'];
  mkdirSync(join(ROOT, 'build/bench'), { recursive: true });
  const sources = ['bench/noise/filter.cc', 'native/core/clean/cleaner.cc', 'native/core/clean/speexdsp.cc'].map((file) =>
    join(ROOT, file),
  );
  const include = `-I${join(ROOT, 'native/core')}`;
  execFileSync(process.env['CXX'] ?? 'g++', ['-std=c++20', '-O2', include, ...sources, '-o', PROGRAM, ...flags, '-ldl']);
}

/** What a line does: what the microphone hears, what we play, and the parts of which it is made, at 8 kHz. */
interface Line {
  readonly near: Int16Array;
  readonly far: Int16Array;
  readonly delayMs: number;
}

let usPer20Ms = new Map<string, number[]>();
function clean(kind: Kind, what: What, line: Line): Int16Array {
  const frames = Math.floor(line.near.length / FRAME);
  const input = new Int16Array(frames * FRAME * 2);
  for (let i = 0; i < frames; i++) {
    input.set(line.near.subarray(i * FRAME, (i + 1) * FRAME), i * FRAME * 2);
    input.set(line.far.subarray(i * FRAME, (i + 1) * FRAME), i * FRAME * 2 + FRAME);
  }
  const run = spawnSync(PROGRAM, [kind, what, String(RATE_HZ), String(line.delayMs)], {
    input: new Uint8Array(input.buffer),
    maxBuffer: 1 << 26,
  });
  if (run.status !== 0) throw new Error(`the filter program failed: ${run.stderr.toString()}`);
  const key = `${kind} ${what}`;
  const cost = (JSON.parse(run.stderr.toString()) as { usPer20Ms: number }).usPer20Ms;
  usPer20Ms.set(key, [...(usPer20Ms.get(key) ?? []), cost]);
  return new Int16Array(new Uint8Array(run.stdout).buffer);
}

const power = (pcm: ArrayLike<number>, from: number, to: number): number => {
  let sum = 1e-3;
  for (let i = Math.max(0, from); i < Math.min(pcm.length, to); i++) sum += (pcm[i] ?? 0) ** 2;
  return sum / Math.max(1, to - from);
};
const db = (ratio: number): number => 10 * Math.log10(ratio);
const mean = (figures: readonly number[]): number => figures.reduce((sum, one) => sum + one, 0) / Math.max(1, figures.length);

/** Echo alone: how much of it is gone in the second half. */
function erle(kind: Kind | null, what: What, delayMs: number, level: number, seed: number): { erle: number; residual: number } {
  const seconds = 20;
  const sent = agent(seed, seconds);
  const back = shifted(echoOf(sent, seed + 7, level), delayMs);
  const line = overLine(mix(back, noise(seed + 9, sent.length, 8, 'white')), sent, 0, 0);
  const out = kind === null ? line.caller : clean(kind, what, { near: line.caller, far: line.sent, delayMs });
  const half = (seconds * RATE_HZ) / 2;
  const before = power(line.caller, half, 2 * half);
  const after = power(out, half, 2 * half);
  return { erle: db(before / after), residual: db(after / 32768 ** 2) };
}

/** echoOf() brings 30 to 180 ms of its own; here the path is longer by a fixed part. */
function shifted(pcm: Float32Array, ms: number): Float32Array {
  const out = new Float32Array(pcm.length);
  out.set(pcm.subarray(0, pcm.length - ms * 8), ms * 8);
  return out;
}

interface Sentence {
  readonly text: string;
  readonly pcm: Int16Array;
}
const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const COUNTS = ['two', 'three', 'four', 'five', 'six', 'seven', 'eight'];
const DIGITS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];

/** Sentences that the built-in recogniser can hear (models/builtin/grammar.json), with half a second around them. */
function sentences(count: number): Sentence[] {
  const random = seeded(77);
  const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? '';
  return Array.from({ length: count }, (_, index) => {
    const text =
      [
        () => `i want to book a table for ${pick(COUNTS)} on ${pick(DAYS)} at ${pick(COUNTS)}`,
        () => Array.from({ length: 6 }, () => pick(DIGITS)).join(' '),
        () => 'no thank you',
        () => 'yes please',
      ][index % 4]?.() ?? '';
    const spoken = phoneLine(text, { voice: VOICES[index % 4] ?? 'en-us', wpm: 150 });
    const pcm = new Int16Array(spoken.length + RATE_HZ * 2);
    pcm.set(
      spoken.map((sample) => sample / 3),
      RATE_HZ * 1.5,
    );
    return { text, pcm };
  });
}

type Condition = 'clean' | 'white 10 dB' | 'car 15 dB' | 'white 5 dB' | 'echo -15 dB at once' | 'echo -15 dB after 8 s';
const CONDITIONS: readonly Condition[] = [
  'clean',
  'white 10 dB',
  'white 5 dB',
  'car 15 dB',
  'echo -15 dB at once',
  'echo -15 dB after 8 s',
];
/** We speak before the caller does: a canceller has so long to learn the path. */
const leadOf = (condition: Condition): number => (condition === 'echo -15 dB after 8 s' ? 8 * RATE_HZ : 0);

function lineOf(said: Sentence, condition: Condition, seed: number): Line {
  const pcm = new Float32Array(leadOf(condition) + said.pcm.length);
  pcm.set(said.pcm, leadOf(condition));
  const level = activeRms(pcm);
  const length = pcm.length;
  const silent = new Float32Array(length);
  const sent = condition.startsWith('echo') ? agent(seed + 50, Math.ceil(length / RATE_HZ)).slice(0, length) : silent;
  const added: Record<Condition, () => Float32Array> = {
    clean: () => silent,
    'white 10 dB': () => noise(seed, length, level * 10 ** (-10 / 20), 'white'),
    'white 5 dB': () => noise(seed, length, level * 10 ** (-5 / 20), 'white'),
    'car 15 dB': () => noise(seed, length, level * 10 ** (-15 / 20), 'car'),
    'echo -15 dB at once': () => echoOf(sent, seed, -15),
    'echo -15 dB after 8 s': () => echoOf(sent, seed, -15),
  };
  const line = overLine(mix(pcm, noise(seed + 1, length, 8, 'white'), added[condition]()), sent, 0, 0);
  return { near: line.caller, far: line.sent, delayMs: 100 };
}

/** Levenshtein over words. */
function wordErrors(heard: string, said: string): number {
  const [a, b] = [heard, said].map((text) =>
    text
      .toLowerCase()
      .replace(/[^a-z ]/g, '')
      .split(/\s+/)
      .filter(Boolean),
  );
  let row = Array.from({ length: (b?.length ?? 0) + 1 }, (_, i) => i);
  (a ?? []).forEach((word, i) => {
    const next = [i + 1];
    (b ?? []).forEach((other, j) => {
      next.push(Math.min((row[j] ?? 0) + (word === other ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    });
    row = next;
  });
  return row.at(-1) ?? 0;
}

async function wordErrorShare(lines: readonly { pcm: Int16Array; text: string }[]): Promise<number> {
  const ring = createTestRing(lines.length, 1 << 17);
  const worker = await startRawWorker(join(ROOT, RECOGNISER), ['--model', join(ROOT, MODEL), '--threads', '1'], ring.audio.fd);
  let errors = 0;
  let words = 0;
  for (const [slot, { pcm, text }] of lines.entries()) {
    const wide = toRing(pcm);
    const generation = ring.open(slot);
    ring.write(slot, wide);
    worker.send({ op: 'open', session: slot + 1, slot, generation, language: 'en' });
    // What the gate would give it: the sentence and a little around it.
    const answer = await worker.decode({ session: slot + 1, fromSample: 16000, toSample: wide.length - 4000 }).answer;
    errors += wordErrors(answer.text ?? '', text);
    words += text.split(' ').length;
  }
  await worker.stop();
  ring.free();
  return (errors / words) * 100;
}

/** Level in the pause before the words, and what the words lost, against the line without noise. */
function pauseAndWords(out: Int16Array, before: Int16Array, said: Sentence): { pauseDb: number; wordsDb: number } {
  const pause = [RATE_HZ * 0.8, RATE_HZ * 1.4] as const;
  const words = [RATE_HZ * 1.5, said.pcm.length - RATE_HZ * 0.5] as const;
  return { pauseDb: db(power(out, ...pause) / power(before, ...pause)), wordsDb: db(power(out, ...words) / power(before, ...words)) };
}

async function noiseRows(count: number, withWords: boolean): Promise<BenchRow[]> {
  const said = sentences(count);
  const rows: BenchRow[] = [];
  for (const condition of CONDITIONS) {
    const what: What = condition.startsWith('echo') ? 'echo' : 'noise';
    const lines = said.map((one, index) => ({ said: one, line: lineOf(one, condition, index * 10 + 1) }));
    const lead = leadOf(condition);
    const tail = (pcm: Int16Array): Int16Array => pcm.subarray(lead);
    const cleaned = Object.fromEntries(KINDS.map((kind) => [kind, lines.map(({ line }) => tail(clean(kind, what, line)))])) as Record<
      Kind,
      Int16Array[]
    >;
    for (const kind of KINDS) {
      const changes = lines.map(({ said: one, line }, index) =>
        pauseAndWords(cleaned[kind][index] ?? new Int16Array(), tail(line.near), one),
      );
      rows.push(
        { metric: `${condition}: ${kind}, level in pauses`, value: round(mean(changes.map(({ pauseDb }) => pauseDb)), 1), unit: 'dB' },
        { metric: `${condition}: ${kind}, level of words`, value: round(mean(changes.map(({ wordsDb }) => wordsDb)), 1), unit: 'dB' },
      );
    }
    if (!withWords) continue;
    const plain = await wordErrorShare(lines.map(({ said: { text }, line }) => ({ pcm: tail(line.near), text })));
    for (const kind of KINDS) {
      const share = await wordErrorShare(
        lines.map(({ said: { text } }, index) => ({ pcm: cleaned[kind][index] ?? new Int16Array(), text })),
      );
      rows.push({
        metric: `${condition}: ${kind}, word errors`,
        value: round(share, 1),
        unit: '%',
        peer: `untouched ${round(plain, 1)} %`,
      });
    }
  }
  return rows;
}

function echoRows(): BenchRow[] {
  const paths = [
    { delayMs: 0, level: -20 },
    { delayMs: 0, level: -10 },
    { delayMs: 60, level: -15 },
    { delayMs: 120, level: -15 },
  ];
  return KINDS.flatMap((kind) =>
    paths.map(({ delayMs, level }): BenchRow => {
      const all = [11, 12, 13, 14].map((seed) => erle(kind, 'echo', delayMs, level, seed));
      return {
        metric: `echo ${level} dB, ${30 + delayMs} to ${180 + delayMs} ms: ${kind}, echo removed`,
        value: round(mean(all.map((one) => one.erle)), 1),
        unit: 'dB',
        peer: `left: ${round(mean(all.map((one) => one.residual)), 0)} dBov`,
      };
    }),
  );
}

export async function run(options: Readonly<Record<string, string>>): Promise<BenchResult> {
  build();
  usPer20Ms = new Map();
  const withWords = options['words'] !== 'no' && existsSync(join(ROOT, RECOGNISER));
  const rows = [...echoRows(), ...(await noiseRows(Number(options['sentences'] ?? 30), withWords))];
  for (const kind of KINDS) clean(kind, 'both', lineOf({ text: '', pcm: callerAudio('hello') }, 'clean', 1));
  for (const [key, costs] of usPer20Ms)
    rows.push({ metric: `CPU per call-frame: ${key}`, value: round(Math.min(...costs), 1), unit: 'us' });
  return benchResult('noise', rows);
}
