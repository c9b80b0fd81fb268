import type { ChildProcessWithoutNullStreams } from 'node:child_process';

import { ParleyError } from '../contracts/index.ts';
import {
  exitProblem,
  joined,
  spawnEspeak,
  spawnProblem,
  timeoutProblem,
  type Speaker,
  type SpeakerOptions,
  type Spoken,
} from './speaker.ts';
import { piecesOf } from './text.ts';
import { UtteranceEnd, WaveStream } from './wave-stream.ts';

/** espeak-ng reads lines into a buffer of 1000 bytes. */
const LINE_BYTES = 900;
/** At least 3 s of zeros at 160 words per minute, five times the longest pause in speech; costs a millisecond. */
const MARK = `${'\n'.repeat(400)}a\n`;
/** A mark must be longer than any pause in speech by a wide margin. */
const LEAST_MARK_MS = 2000;
/** What is taken for the mark of the length that was measured. */
const MARK_SHARE = 0.75;
const PROBE_MS = 2000;
const PROBE_MOST_S = 120;
/** Longer than any gap inside a vowel, shorter than the pause behind it. */
const VOWEL_GAP_MS = 60;

type Settle = { readonly resolve: (spoken: Spoken) => void; readonly reject: (error: ParleyError) => void };
interface Job extends Settle {
  readonly text: string;
}

/** What is being collected: samples until the mark. */
class Utterance {
  readonly #parts: Int16Array[] = [];
  readonly #end: UtteranceEnd;
  readonly #startedAtMs = performance.now();
  #firstMs = 0;

  constructor(end: UtteranceEnd) {
    this.#end = end;
  }

  /** True when the utterance is whole. */
  push(samples: Int16Array): boolean {
    if (this.#firstMs === 0 && samples.some((sample) => sample !== 0)) this.#firstMs = performance.now() - this.#startedAtMs;
    const belong = this.#end.push(samples);
    if (belong > 0) this.#parts.push(samples.subarray(0, belong));
    return this.#end.over;
  }

  spoken(rateHz: number): Spoken {
    return { pcm: joined(this.#parts), rateHz, firstMs: this.#firstMs };
  }
}

class StreamSpeaker implements Speaker {
  readonly mode = 'stream';
  readonly #options: SpeakerOptions;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #stream: WaveStream;
  readonly #markSamples: number;
  readonly #queue: Job[] = [];
  #current: { job: Job; utterance: Utterance; timer: NodeJS.Timeout } | undefined;
  #gone: ParleyError | undefined;
  readonly #onGone: () => void;

  constructor(options: SpeakerOptions, probed: Probed, onGone: () => void) {
    this.#options = options;
    this.#child = probed.child;
    this.#stream = probed.stream;
    this.#markSamples = probed.markSamples;
    this.#onGone = onGone;
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#heard(this.#stream.push(chunk));
    });
    this.#child.on('close', (code, signal) => {
      this.#lost(exitProblem(options, signal ?? `exit code ${code ?? -1}`));
    });
  }

  say(text: string): Promise<Spoken> {
    if (this.#gone) return Promise.reject(this.#gone);
    return new Promise((resolve, reject) => {
      this.#queue.push({ text, resolve, reject });
      this.#next();
    });
  }

  close(): void {
    this.#lost(new ParleyError('TTS_FAILED', 'the synthesiser is being stopped'));
  }

  #next(): void {
    if (this.#current) return;
    const job = this.#queue.shift();
    if (!job) return;
    const timer = setTimeout(() => {
      this.#lost(timeoutProblem(this.#options));
    }, this.#options.timeoutMs);
    this.#current = { job, utterance: new Utterance(this.#endOf()), timer };
    // Without a full stop the empty lines behind it become longer pauses.
    const text = /[.!?]$/.test(job.text) ? job.text : `${job.text}.`;
    this.#child.stdin.write(`${piecesOf(text, LINE_BYTES).join('\n')}\n${MARK}`);
  }

  #endOf(): UtteranceEnd {
    return new UtteranceEnd(this.#markSamples, (this.#stream.rateHz * VOWEL_GAP_MS) / 1000);
  }

  #heard(samples: Int16Array): void {
    const current = this.#current;
    if (!current?.utterance.push(samples)) return;
    clearTimeout(current.timer);
    this.#current = undefined;
    current.job.resolve(current.utterance.spoken(this.#stream.rateHz));
    this.#next();
  }

  #lost(error: ParleyError): void {
    if (this.#gone) return;
    this.#gone = error;
    this.#child.kill('SIGKILL');
    clearTimeout(this.#current?.timer);
    for (const job of [...(this.#current ? [this.#current.job] : []), ...this.#queue]) job.reject(error);
    this.#current = undefined;
    this.#queue.length = 0;
    this.#onGone();
  }
}

/** The longest run of zeros between two sounds, and the run that is going on. */
class LongestPause {
  longest = 0;
  run = 0;
  #sound = false;
  push(samples: Int16Array): void {
    for (const sample of samples) {
      if (sample === 0) {
        this.run++;
        continue;
      }
      if (this.#sound) this.longest = Math.max(this.longest, this.run);
      this.#sound = true;
      this.run = 0;
    }
  }
}

interface Probed {
  readonly child: ChildProcessWithoutNullStreams;
  readonly stream: WaveStream;
  readonly markSamples: number;
}

/**
 * Speaks a vowel, a mark and its vowel, and measures the zeros between the two. Nothing when there are none: a voice with
 * echo has no exact zeros, and another version of espeak-ng may do something else with empty lines.
 */
function probe(options: SpeakerOptions): Promise<Probed | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawnEspeak(options, []);
    const stream = new WaveStream();
    const pause = new LongestPause();
    let samplesSeen = 0;
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      child.stdout.removeAllListeners('data');
      child.on('error', () => undefined);
      settle();
    };
    const giveUp = (): void => {
      finish(() => {
        child.kill('SIGKILL');
        resolve(undefined);
      });
    };
    const fail = (error: ParleyError): void => {
      finish(() => {
        reject(error);
      });
    };
    const timer = setTimeout(giveUp, Math.min(PROBE_MS, options.timeoutMs));
    child.on('error', (cause) => {
      fail(spawnProblem(options, cause));
    });
    child.on('close', (code, signal) => {
      fail(exitProblem(options, signal ?? `exit code ${code ?? -1}`));
    });
    child.stdin.on('error', () => undefined);
    child.stderr.resume();
    child.stdout.on('data', (chunk: Buffer) => {
      const samples = stream.push(chunk);
      samplesSeen += samples.length;
      pause.push(samples);
      // The second vowel is over when a pause follows that began after the mark.
      const markSamples = Math.floor(pause.longest * MARK_SHARE);
      if (stream.rateHz === -1 || samplesSeen > stream.rateHz * PROBE_MOST_S) giveUp();
      else if (pause.longest * 1000 >= LEAST_MARK_MS * stream.rateHz && pause.run * 1000 >= VOWEL_GAP_MS * stream.rateHz)
        finish(() => {
          resolve({ child, stream, markSamples });
        });
    });
    child.stdin.write(`a\n${MARK}`);
  });
}

/**
 * espeak-ng as one long-lived process: texts as lines in, one endless stream of samples out. Nothing in the stream says
 * where a text ends, so each is followed by a mark of zeros whose exact length is measured first.
 * Resolves to nothing when the marks cannot be told apart. Errors: TTS_FAILED (program or voice missing).
 */
export async function startStreamSpeaker(options: SpeakerOptions, onGone: () => void): Promise<Speaker | undefined> {
  const probed = await probe(options);
  return probed ? new StreamSpeaker(options, probed, onGone) : undefined;
}
