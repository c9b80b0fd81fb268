/** A Piper voice of medium size with random weights (scripts/test-voice/medium.ts), and what it costs to let it speak. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mediumVoice } from '../../scripts/test-voice/medium.ts';
import { smallVoice } from '../../scripts/test-voice/small.ts';
import type { Utterance, VoiceRunner } from '../../src/tts/piper/runner.ts';

const RATE_HZ = 22050;
const HOP = 256;
/** Frames of a phoneme with its pad in the medium voice. */
const FRAMES = 7;

/** Writes the voice and its settings; returns the path of the model. */
export function placeMedium(folder: string): string {
  const path = join(folder, 'medium.onnx');
  writeFileSync(path, mediumVoice());
  writeFileSync(`${path}.json`, smallVoice().settings);
  return path;
}

/** Phonemes that this voice speaks for so many seconds. */
export function sentenceOf(seconds: number): Utterance {
  const phonemes = Math.round((seconds * RATE_HZ) / HOP / FRAMES);
  const ids = Array.from({ length: 2 * phonemes }, (_, index) => (index % 2 === 0 ? 10 + ((index / 2) % 90) : 0));
  return { ids, scales: [0, 1, 0], sid: null };
}

export interface Spoken {
  readonly firstMs: number;
  readonly totalMs: number;
  readonly longestPieceMs: number;
  readonly samples: Float32Array;
}

export async function speak(runner: VoiceRunner, utterance: Utterance): Promise<Spoken> {
  const startedAt = performance.now();
  let [firstMs, lastAt, longestPieceMs] = [NaN, startedAt, 0];
  const pieces: Float32Array[] = [];
  for await (const piece of runner.run(utterance)) {
    const now = performance.now();
    if (pieces.length === 0) firstMs = now - startedAt;
    else longestPieceMs = Math.max(longestPieceMs, now - lastAt);
    lastAt = now;
    pieces.push(piece.samples);
  }
  const samples = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  pieces.reduce((at, piece) => (samples.set(piece, at), at + piece.length), 0);
  return { firstMs, totalMs: lastAt - startedAt, longestPieceMs, samples };
}
