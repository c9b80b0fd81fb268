/**
 * `npm run bench -- gpu`: models of true shape with random weights, and what they cost in compute on the GPU of this machine: Whisper small and
 * turbo, Llama 1B, 3B and 8B as Q4_0 (about 8 GB under .runtime/bench), Piper medium. Says nothing about words. Without a GPU it says so;
 * a program that was not built for one has no rows: the recogniser (native/whisper/README.md), llama-server (.runtime/llama/bin or PATH).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { VoiceRunner } from '../src/tts/piper/runner.ts';
import { loadVoiceFile } from '../src/tts/piper/voice-file.ts';
import { createTestRing } from '../test/support/stt-ring.ts';
import { callerAudio } from '../test/support/phone-speech.ts';
import { answerOf, listsGpu, serveLlama, type Answer } from './support/llama-server.ts';
import { placeMedium, sentenceOf, speak } from './support/medium-voice.ts';
import { FIRST_WORD, LLAMA_SHAPES, randomLlama } from './support/random-llama.ts';
import { randomWhisper } from './support/random-whisper.ts';
import { benchResult, percentile, type BenchResult, type BenchRow } from './support/result.ts';
import { startRawWorker } from './support/whisper-client.ts';

const PROGRAM = '.runtime/whisper/parley-whisper';
const SCRATCH = '.runtime/bench';
const SENTENCE = 'i want to book a table for four on friday at seven';
const ROUNDS = 20;
const LABEL = 'random weights, compute only';

/** Name of the first GPU; null when there is none. */
function gpuName(): string | null {
  try {
    const [name] = execFileSync('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).split('\n');
    return name === undefined || name.trim() === '' ? null : name.trim();
  } catch {
    return null;
  }
}

/** Whether the recogniser was linked to CUDA. */
function isBuiltForGpu(): boolean {
  try {
    return /libcu(da|blas|dart)/.test(execFileSync('ldd', [PROGRAM], { encoding: 'utf8' }));
  } catch {
    return false;
  }
}

async function decodes(size: 'small' | 'turbo', gpu: string): Promise<BenchRow> {
  const ring = createTestRing(1, 1 << 17);
  const worker = await startRawWorker(PROGRAM, ['--model', randomWhisper(size, SCRATCH), '--lanes', '1'], ring.audio.fd);
  try {
    const audio = callerAudio(SENTENCE);
    const generation = ring.open(0);
    ring.write(0, audio);
    worker.send({ op: 'open', session: 1, slot: 0, generation, language: 'en' });
    const times: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const beganAt = performance.now();
      const { atMs } = await worker.decode({ session: 1, toSample: audio.length }).answer;
      if (round > 0) times.push(atMs - beganAt);
    }
    const value = Number(percentile(times, 0.5).toFixed(1));
    return {
      metric: `Whisper ${size}, ${(audio.length / 16_000).toFixed(1)} s, p50, ${LABEL}, on ${gpu}`,
      value,
      unit: 'ms',
    };
  } finally {
    await worker.stop();
    ring.free();
  }
}

/** The conversation so far, and what the next turn adds to it. */
const PROMPT_TOKENS = 1024;
const TURN_TOKENS = 32;
const ANSWER_TOKENS = 64;
/** Further turns after the first. */
const TURNS = 5;

/** A llama-server that sees a GPU: one built by hand under .runtime/llama, or the one in PATH. Debian's is built for the CPU. */
function gpuLlama(): string | null {
  for (const program of ['.runtime/llama/bin/llama-server', 'llama-server']) {
    try {
      const devices = execFileSync(program, ['--list-devices'], { encoding: 'utf8', timeout: 30_000, stdio: ['ignore', 'pipe', 'ignore'] });
      if (listsGpu(devices)) return program;
    } catch {
      // It is not there.
    }
  }
  return null;
}

/** Words that no answer before has had: the cache is of no use. */
function turnOf(vocabulary: number, start: number, tokens: number): number[] {
  return Array.from({ length: tokens }, (_, index) => FIRST_WORD + ((start + index * 7919) % (vocabulary - FIRST_WORD)));
}

/** What a conversation costs with the model that the server has. `label` begins each metric, `device` ends it. */
export async function conversation(origin: string, vocabulary: number, label: string, device: string): Promise<BenchRow[]> {
  await answerOf(origin, turnOf(vocabulary, 1, TURN_TOKENS), ANSWER_TOKENS);
  const prompt = turnOf(vocabulary, 2, PROMPT_TOKENS);
  const cold = await answerOf(origin, prompt, ANSWER_TOKENS);
  const warm: Answer[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    prompt.push(...turnOf(vocabulary, 1000 * (turn + 3), TURN_TOKENS));
    warm.push(await answerOf(origin, prompt, ANSWER_TOKENS));
  }
  const row = (what: string, figures: readonly number[]): BenchRow => ({
    metric: `${label}, ${what}, ${LABEL}, on ${device}`,
    value: Number(percentile(figures, 0.5).toFixed(2)),
    unit: 'ms',
  });
  return [
    row(`first token after ${cold.computed} new tokens`, [cold.firstMs]),
    row(
      `first token of a turn of ${TURN_TOKENS} tokens, the rest in the cache, p50`,
      warm.map((answer) => answer.firstMs),
    ),
    row(
      'each further token, p50',
      [cold, ...warm].map((answer) => answer.perTokenMs),
    ),
  ];
}

async function languageModel(program: string, size: keyof typeof LLAMA_SHAPES, gpu: string): Promise<BenchRow[]> {
  const model = randomLlama(size, LLAMA_SHAPES[size], SCRATCH);
  // prettier-ignore
  const args = ['--model', model, '--n-gpu-layers', '999', '--ctx-size', '4096', '--parallel', '1', '--no-webui', '--log-disable'];
  const server = await serveLlama(program, args, process.env);
  try {
    return await conversation(server.origin, LLAMA_SHAPES[size].vocabulary, `Llama ${size} Q4_0`, gpu);
  } finally {
    await server.stop();
  }
}

/** First audio of a long sentence, cut by our splitter, against the whole graph. Null with the reason on the console when the provider is not there. */
export async function piperRow(
  provider: 'cpu' | 'cuda',
  { seconds, rounds }: { seconds: number; rounds: number },
): Promise<BenchRow | null> {
  const folder = mkdtempSync(path.join(tmpdir(), 'parley-gpu-'));
  try {
    const file = await loadVoiceFile(placeMedium(folder));
    const base = { threads: 1, chunkFrames: 160, provider } as const;
    const cut = await VoiceRunner.load(file, { ...base, cuts: 'best' });
    const whole = await VoiceRunner.load(file, { ...base, cuts: 'whole' });
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let round = 0; round <= rounds; round++) {
      const [firstMs, wholeMs] = [(await speak(cut, sentenceOf(seconds))).firstMs, (await speak(whole, sentenceOf(seconds))).totalMs];
      // The first round pays for the memory.
      if (round === 0) continue;
      ours.push(firstMs);
      theirs.push(wholeMs);
    }
    await cut.release();
    await whole.release();
    const [mine, peer] = [percentile(ours, 0.5), percentile(theirs, 0.5)];
    return {
      metric: `Piper medium, first audio of ${seconds} s, onnxruntime ${provider}, graphs ${cut.facts.graphs}, p50, ${LABEL}`,
      value: Number(mine.toFixed(1)),
      unit: 'ms',
      peer: `whole graph ${peer.toFixed(1)} ms`,
      ratio: mine / peer,
    };
  } catch (error) {
    if (provider === 'cpu') throw error;
    console.log(`onnxruntime has no CUDA here: no row for Piper on the GPU (${(error as Error).message.split('\n')[0] ?? ''})`);
    return null;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export async function run(): Promise<BenchResult> {
  const gpu = gpuName();
  if (gpu === null) {
    console.log('no GPU on this machine: nothing to measure');
    return benchResult('gpu', [{ metric: 'no GPU', value: 0, unit: 'rows' }]);
  }
  const rows: BenchRow[] = [];
  if (isBuiltForGpu()) rows.push(await decodes('small', gpu), await decodes('turbo', gpu));
  else console.log(`${gpu} is here, but the recogniser was built without CUDA (native/whisper/README.md): no rows for Whisper`);
  const llama = gpuLlama();
  if (llama === null) console.log('no llama-server that sees the GPU in .runtime/llama/bin or PATH: no rows for language models');
  else for (const size of ['1B', '3B', '8B'] as const) rows.push(...(await languageModel(llama, size, gpu)));
  for (const provider of ['cpu', 'cuda'] as const) {
    const row = await piperRow(provider, { seconds: 12, rounds: 5 });
    if (row !== null) rows.push(row);
  }
  return benchResult('gpu', rows);
}
