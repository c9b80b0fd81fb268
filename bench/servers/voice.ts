/**
 * Audio for a text, with the exact sample at which every word begins. espeak-ng says each word alone, so the joins are known; the words are
 * kept, so a bench pays for each of them once. Without espeak-ng, or when asked, a buzz of the word's length.
 */
import { execFile } from 'node:child_process';
import { readWav, type Wav } from './wav.ts';

export const RATE_HZ = 22050;
const GAP_SAMPLES = Math.round(RATE_HZ * 0.04);
/** -45 dBov: what is under it at either end of a word is not part of it. */
const QUIET = 184.3;

export interface Spoken {
  readonly pcm: Int16Array;
  /** First sample of each word. */
  readonly wordSamples: readonly number[];
}

const known = new Map<string, Promise<Int16Array>>();

export async function speak(text: string, voice: 'espeak' | 'buzz', language: string): Promise<Spoken> {
  const words = text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const clips = await Promise.all(words.map((word) => clipOf(word, voice, language)));
  const pcm = new Int16Array(clips.reduce((sum, clip) => sum + clip.length + GAP_SAMPLES, 0));
  const wordSamples: number[] = [];
  let at = 0;
  for (const clip of clips) {
    wordSamples.push(at);
    pcm.set(clip, at);
    at += clip.length + GAP_SAMPLES;
  }
  return { pcm, wordSamples };
}

function clipOf(word: string, voice: 'espeak' | 'buzz', language: string): Promise<Int16Array> {
  if (voice === 'buzz') return Promise.resolve(buzz(word));
  const key = `${language} ${word}`;
  const clip = known.get(key) ?? espeak(word, language).catch(() => buzz(word));
  known.set(key, clip);
  return clip;
}

function espeak(word: string, language: string): Promise<Int16Array> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'espeak-ng',
      ['-v', language, '--stdin', '--stdout'],
      { encoding: 'buffer', maxBuffer: 8 << 20 },
      (error, stdout) => {
        if (error !== null) {
          reject(new Error('espeak-ng failed', { cause: error }));
          return;
        }
        try {
          resolve(trim(readWav(stdout)));
        } catch (reason) {
          reject(reason instanceof Error ? reason : new Error('no audio'));
        }
      },
    );
    child.stdin?.on('error', reject).end(word);
  });
}

function trim({ pcm }: Wav): Int16Array {
  let from = 0;
  let to = pcm.length;
  while (from < to && Math.abs(pcm[from] ?? 0) < QUIET) from++;
  while (to > from && Math.abs(pcm[to - 1] ?? 0) < QUIET) to--;
  return pcm.slice(from, to);
}

/** 60 ms a letter at 180 Hz, with a rise and a fall. */
function buzz(word: string): Int16Array {
  const length = Math.round(RATE_HZ * 0.06 * Math.max(2, word.length));
  return Int16Array.from({ length }, (_, i) => {
    const edge = Math.min(1, i / 200, (length - i) / 200);
    return Math.round(6000 * edge * Math.sin((2 * Math.PI * 180 * i) / RATE_HZ));
  });
}
