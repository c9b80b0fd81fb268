/** The caller's voice: espeak-ng renders a line, we make telephone audio of it and know its first and last voiced sample. */
import { spawn } from 'node:child_process';
import { ParleyError } from '../../contracts/index.ts';
import { RATE_HZ, voicedRange } from './level.ts';
import { resample } from './resample.ts';

export interface Voice {
  /** A voice of espeak-ng: en, en-us, en-gb, en-us+f2 ... */
  readonly name: string;
  /** Words per minute, 80..450; the test recogniser was trained on 145..205. */
  readonly wordsPerMinute: number;
  /** 0..99, espeak-ng's own scale. */
  readonly pitch: number;
}

export const DEFAULT_VOICE: Voice = { name: 'en-us', wordsPerMinute: 165, pitch: 50 };

/** A line, ready to be sent. 8 kHz mono PCM. */
export interface Line {
  readonly text: string;
  readonly pcm: Int16Array;
  /** Index of the first and last sample that is speech (10 ms RMS above -45 dBov). */
  readonly firstVoiced: number;
  readonly lastVoiced: number;
}

const MAX_TEXT = 2000;
const MAX_RENDER_BYTES = 20 * 1024 * 1024;
const RENDER_TIMEOUT_MS = 20_000;
const PEAK = 0.5;
/** Kept before and after the voiced part, so that no plosive is clipped. */
const MARGIN_SAMPLES = RATE_HZ * 0.02;

/** Renders `text`. Errors: CALLER_FAILED when espeak-ng is missing, fails, or says nothing audible. */
export async function renderLine(text: string, voice: Voice = DEFAULT_VOICE): Promise<Line> {
  if (text.trim() === '' || text.length > MAX_TEXT) throw new ParleyError('CALLER_FAILED', `a line must have 1 to ${MAX_TEXT} characters`);
  const wav = await espeak(text, voice);
  return lineFrom(text, readWav(wav));
}

/** Telephone audio from a rendering: 8 kHz, trimmed to the voiced part and a margin, peak at half of full scale. */
export function lineFrom(text: string, speech: { readonly pcm: Int16Array; readonly rateHz: number }): Line {
  const low = resample(speech.pcm, speech.rateHz, RATE_HZ);
  const peak = low.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  if (peak < 1) throw new ParleyError('CALLER_FAILED', 'the rendered line is silent: try another voice');
  const gain = (PEAK * 32767) / peak;
  const whole = Int16Array.from(low, (sample) => Math.round(sample * gain));
  const range = voicedRange(whole);
  if (range === null) throw new ParleyError('CALLER_FAILED', 'the rendered line holds no speech: try another voice');
  const from = Math.max(0, range.first - MARGIN_SAMPLES);
  const pcm = whole.slice(from, range.last + 1 + MARGIN_SAMPLES);
  return { text, pcm, firstVoiced: range.first - from, lastVoiced: range.last - from };
}

/**
 * Mono 16-bit PCM of a RIFF file. A stream's length fields are not true (its writer could not seek), so the data runs to the end of the bytes at most.
 * Errors: CALLER_FAILED when it is no such file.
 */
export function readWav(bytes: Buffer): { pcm: Int16Array; rateHz: number; channels: number } {
  if (bytes.length < 12 || bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE')
    throw notWav('no RIFF/WAVE header');
  let rateHz = 0;
  let channels = 0;
  for (let at = 12; at + 8 <= bytes.length;) {
    const kind = bytes.toString('latin1', at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    const body = at + 8;
    if (kind === 'fmt ' && body + 16 <= bytes.length) {
      if (bytes.readUInt16LE(body) !== 1 || bytes.readUInt16LE(body + 14) !== 16) throw notWav('not 16-bit PCM');
      channels = bytes.readUInt16LE(body + 2);
      rateHz = bytes.readUInt32LE(body + 4);
    }
    if (kind === 'data') {
      if (rateHz < 4000 || rateHz > 192_000 || channels < 1 || channels > 2) throw notWav('no usable format before the data');
      const count = Math.floor(Math.min(length, bytes.length - body) / 2);
      const pcm = Int16Array.from({ length: count }, (_, i) => bytes.readInt16LE(body + 2 * i));
      return { pcm, rateHz, channels };
    }
    at = body + length + (length % 2);
  }
  throw notWav('no data');
}

function notWav(why: string): ParleyError {
  return new ParleyError('CALLER_FAILED', `not a WAV file that can be read: ${why}`);
}

function espeak(text: string, voice: Voice): Promise<Buffer> {
  // The text goes by stdin: an argument list is public to every user of the machine.
  const flags = ['-v', voice.name, '-s', String(voice.wordsPerMinute), '-p', String(voice.pitch), '--stdin', '--stdout'];
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void => {
      reject(new ParleyError('CALLER_FAILED', `espeak-ng could not render a line: ${why}`, { cause }));
    };
    const child = spawn('espeak-ng', flags, { stdio: ['pipe', 'pipe', 'pipe'], timeout: RENDER_TIMEOUT_MS });
    const parts: Buffer[] = [];
    let size = 0;
    child.on('error', (cause) => fail('is the package espeak-ng installed?', cause));
    child.stdout.on('data', (part: Buffer) => {
      size += part.length;
      if (size > MAX_RENDER_BYTES) child.kill();
      else parts.push(part);
    });
    // A voice that does not exist is a complaint and exit 0: it goes on with another one.
    let unknownVoice = false;
    child.stderr.on('data', (part: Buffer) => (unknownVoice ||= part.includes('does not exist')));
    child.on('close', (code) => {
      if (unknownVoice) fail(`it has no voice ${voice.name}`);
      else if (code === 0) resolve(Buffer.concat(parts));
      else fail(`exit ${String(code)} with voice ${voice.name}`);
    });
    child.stdin.on('error', () => undefined); // EPIPE: 'close' tells why
    child.stdin.end(text);
  });
}
