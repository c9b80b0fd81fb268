/** Speech whose words lie at known samples: espeak-ng says every word alone; a sentence is its words with short gaps. 8 kHz. */
import { execFileSync } from 'node:child_process';

export const RATE_HZ = 8000;
/** -45 dBov: what counts as voice, here and in the measurement. */
export const VOICED_RMS = 184;
const GAP_MS = 30;
const PEAK = 9000;
const PITCH = { caller: '45', agent: '60' } as const;

export type Who = keyof typeof PITCH;

export interface PlacedWord {
  readonly text: string;
  /** Samples of the sentence at 8 kHz. */
  readonly from: number;
  readonly to: number;
}

export interface Sentence {
  readonly pcm: Int16Array;
  readonly words: readonly PlacedWord[];
}

const known = new Map<string, Int16Array>();

function word(text: string, who: Who): Int16Array {
  const key = `${who} ${text}`;
  const pcm = known.get(key) ?? rendered(text, who);
  known.set(key, pcm);
  return pcm;
}

/** Makes every word of these texts, so that nobody waits for espeak-ng while packets are due. */
export function prepare(texts: readonly string[], who: Who): void {
  for (const text of texts) sentence(text, who);
}

const sentences = new Map<string, Sentence>();

export function sentence(text: string, who: Who): Sentence {
  const key = `${who} ${text}`;
  const made = sentences.get(key) ?? composed(text, who);
  sentences.set(key, made);
  return made;
}

function composed(text: string, who: Who): Sentence {
  const gap = new Int16Array((GAP_MS * RATE_HZ) / 1000);
  const parts: Int16Array[] = [];
  const words: PlacedWord[] = [];
  let at = 0;
  for (const one of text.split(' ')) {
    if (at > 0) {
      parts.push(gap);
      at += gap.length;
    }
    const pcm = word(one.replace(/[.,?!]/g, ''), who);
    words.push({ text: one, from: at, to: at + pcm.length });
    parts.push(pcm);
    at += pcm.length;
  }
  return { pcm: concat(parts), words };
}

export function concat(parts: readonly Int16Array[]): Int16Array {
  const all = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function rms(pcm: Int16Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += (pcm[i] ?? 0) ** 2;
  return Math.sqrt(sum / Math.max(1, to - from));
}

function rendered(text: string, who: Who): Int16Array {
  const wav = execFileSync('espeak-ng', ['-v', 'en-us', '-s', '170', '-p', PITCH[who], '--stdout', '--', text], { maxBuffer: 1 << 24 });
  const rateHz = wav.readUInt32LE(24);
  const source = new Int16Array(wav.buffer.slice(wav.byteOffset + 44, wav.byteOffset + wav.length - (wav.length % 2)));
  return trimmed(toPhone(source, rateHz));
}

/** Averages over each output sample's width: enough of a filter for speech that only an oracle listens to. */
function toPhone(source: Int16Array, rateHz: number): Int16Array {
  const step = rateHz / RATE_HZ;
  const out = new Int16Array(Math.floor(source.length / step));
  let peak = 1;
  const mean = (i: number): number => {
    const [from, to] = [Math.floor(i * step), Math.ceil((i + 1) * step)];
    let sum = 0;
    for (let n = from; n < to; n++) sum += source[n] ?? 0;
    return sum / (to - from);
  };
  for (let i = 0; i < out.length; i++) peak = Math.max(peak, Math.abs(mean(i)));
  for (let i = 0; i < out.length; i++) out[i] = Math.round((mean(i) * PEAK) / peak);
  return out;
}

/** From the first to the last 10 ms above -45 dBov. */
function trimmed(pcm: Int16Array): Int16Array {
  const frame = RATE_HZ / 100;
  const frames = Math.floor(pcm.length / frame);
  const voiced = (i: number): boolean => rms(pcm, i * frame, (i + 1) * frame) > VOICED_RMS;
  let first = 0;
  while (first < frames && !voiced(first)) first++;
  let last = frames - 1;
  while (last > first && !voiced(last)) last--;
  return pcm.slice(first * frame, (last + 1) * frame);
}
