/** How fast the configured engines are on this machine, and how many calls they carry: a ramp that stops where a budget breaks. */
import type { LanguageModel, SpeechToText, TextToSpeech } from '../../contracts/index.ts';
import { resample } from '../caller/resample.ts';
import { probeMemory } from './probe-memory.ts';

/** p95, in milliseconds: what a turn can spend on each part and still begin within a second of the caller's last word. */
export const BUDGETS = { sttTailMs: 300, llmFirstTokenMs: 400, ttsFirstAudioMs: 200 } as const;

export interface Ramp {
  /** Calls at once that are tried, ascending. */
  readonly calls: readonly number[];
  /** Requests of each call at each step. */
  readonly rounds: number;
  /** No further step after this time. */
  readonly mostMs: number;
}

export const RAMP: Ramp = { calls: [1, 2, 4, 8, 16], rounds: 3, mostMs: 8000 };

export interface Measured {
  readonly engine: 'stt' | 'llm' | 'tts';
  readonly description: string;
  readonly loadMs: number;
  /** What the budget is about: tail decode, first token or first audio, alone on the machine. */
  readonly what: string;
  readonly loneP95Ms: number;
  /** Engine time for a second of audio; null for text. */
  readonly realTimeFactor: number | null;
  readonly budgetMs: number;
  /** Most calls at once whose p95 keeps the budget; 0 when one call alone breaks it. */
  readonly calls: number;
  /** The ramp ended before the budget broke: `calls` is a lower bound. */
  readonly unbroken: boolean;
}

const SENTENCE = 'what are your opening hours on friday please';

interface Step {
  readonly calls: number;
  readonly p95Ms: number;
}

async function climb(ramp: Ramp, budgetMs: number, ask: (call: number) => Promise<number>): Promise<Step[]> {
  const steps: Step[] = [];
  const beganAt = performance.now();
  for (const calls of ramp.calls) {
    const took = await Promise.all(
      Array.from({ length: calls }, async (_, call) => {
        const times: number[] = [];
        for (let round = 0; round < ramp.rounds; round++) times.push(await ask(call));
        return times;
      }),
    );
    steps.push({ calls, p95Ms: percentile95(took.flat()) });
    if ((steps.at(-1)?.p95Ms ?? 0) > budgetMs || performance.now() - beganAt > ramp.mostMs) break;
  }
  return steps;
}

function percentile95(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(0.95 * sorted.length) - 1] ?? 0;
}

function verdict(steps: readonly Step[], budgetMs: number): Pick<Measured, 'calls' | 'unbroken' | 'budgetMs' | 'loneP95Ms'> {
  const kept = steps.filter(({ p95Ms }) => p95Ms <= budgetMs);
  return { calls: kept.at(-1)?.calls ?? 0, unbroken: kept.length === steps.length, budgetMs, loneP95Ms: steps[0]?.p95Ms ?? 0 };
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const beganAt = performance.now();
  await act();
  return performance.now() - beganAt;
}

/** Starts the engine, and stops it again. Errors: those of the engine. */
export async function measureTts(
  tts: TextToSpeech,
  language: string,
  ramp: Ramp,
  budgetMs: number,
): Promise<{ measured: Measured; pcm16: Int16Array }> {
  const loadMs = await timed(() => tts.start());
  try {
    const clip = await tts.synthesise(SENTENCE, { language });
    const steps = await climb(ramp, budgetMs, async () => (await tts.synthesise(SENTENCE, { language })).firstMs);
    const audioMs = (1000 * clip.pcm.length) / clip.rateHz;
    const pcm16 = Int16Array.from(resample(clip.pcm, clip.rateHz, 16_000), (sample) =>
      Math.max(-32768, Math.min(32767, Math.round(sample))),
    );
    const measured: Measured = {
      engine: 'tts',
      description: tts.description,
      loadMs,
      what: 'first audio',
      realTimeFactor: audioMs === 0 ? null : clip.totalMs / audioMs,
      ...verdict(steps, budgetMs),
    };
    return { measured, pcm16 };
  } finally {
    await tts.stop();
  }
}

/** `pcm16`: an utterance. Starts the engine, and stops it again. Errors: those of the engine. */
export async function measureStt(stt: SpeechToText, pcm16: Int16Array, language: string, ramp: Ramp, budgetMs: number): Promise<Measured> {
  const memory = probeMemory(pcm16, Math.max(...ramp.calls));
  const toSample = Math.min(pcm16.length, 1 << 18);
  try {
    const loadMs = await timed(() => stt.start(memory.audio));
    const sessions = Array.from({ length: Math.max(...ramp.calls) }, (_, slot) =>
      stt.open({ callId: `doctor-${slot}`, slot, generation: memory.generation, language }),
    );
    const decode = (call: number): Promise<unknown> =>
      sessions[call]?.decode({ fromSample: 0, toSample, kind: 'final' }) ?? Promise.resolve();
    const first = await timed(() => decode(0));
    const steps = await climb(ramp, budgetMs, (call) => timed(() => decode(call)));
    for (const session of sessions) session.close();
    return {
      engine: 'stt',
      description: stt.description,
      loadMs,
      what: 'tail decode',
      realTimeFactor: toSample === 0 ? null : first / (toSample / 16),
      ...verdict(steps, budgetMs),
    };
  } finally {
    await stt.stop();
    memory.free();
  }
}

/** Starts the engine, and stops it again. Errors: those of the engine. */
export async function measureLlm(model: LanguageModel, ramp: Ramp, budgetMs: number): Promise<Measured> {
  const loadMs = await timed(() => model.start());
  try {
    const steps = await climb(ramp, budgetMs, (call) =>
      timed(async () => {
        const messages = [{ role: 'user' as const, text: 'Say good morning.' }];
        for await (const delta of model.chat({ callKey: `doctor-${call}`, messages, options: { maxTokens: 8 } }))
          if (delta.t === 'text') break;
      }),
    );
    return {
      engine: 'llm',
      description: model.description,
      loadMs,
      what: 'first token',
      realTimeFactor: null,
      ...verdict(steps, budgetMs),
    };
  } finally {
    await model.stop();
  }
}

export function measuredLines(measured: Measured): string[] {
  const { engine, description, loadMs, what, loneP95Ms, realTimeFactor, budgetMs, calls, unbroken } = measured;
  const factor = realTimeFactor === null ? '' : `, real-time factor ${realTimeFactor.toFixed(2)}`;
  const carried =
    calls === 0
      ? `BREAKS its budget of ${budgetMs} ms with one call`
      : `keeps ${budgetMs} ms up to ${unbroken ? 'at least ' : ''}${calls} calls at once`;
  return [`${engine}: ${description}`, `  load ${loadMs.toFixed(0)} ms, ${what} p95 ${loneP95Ms.toFixed(0)} ms${factor}; ${carried}`];
}
