/** Seeded audio for bench/vad: synthetic speakers with known onsets, and what a line does to them. 8 kHz samples unless said otherwise. */
import { overUlaw, phoneLine } from '../../test/support/phone-speech.ts';

export const RATE_HZ = 8000;
export const FRAME = 160;

/** mulberry32: the same seed gives the same figures everywhere. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export const VOICES = ['en-us', 'en-us+f2', 'en-gb+m3', 'en-gb+f4', 'de', 'de+f3', 'fr+f1', 'es+m1'] as const;

const CALLER = [
  'yes',
  'no thank you',
  'I would like to book a table for four on friday evening please',
  'my number is seven three nine two',
  'hello',
  'can you tell me when you open tomorrow',
  'hold on a second',
  'speak to somebody please',
  'the order came yesterday but half of it was missing',
  'at six thirty',
  'what was that',
  'three',
  'umm, let me think about it',
  'sorry, I meant thursday not tuesday',
] as const;

const AGENT = [
  'Thank you for calling. This call is answered by a machine and may be recorded for quality.',
  'I found a table for four people on Friday at half past seven. Shall I book it for you?',
  'Our office is open from nine to five on weekdays, and from ten to two on Saturdays.',
  'I am sorry, I did not understand that. Could you please say the number once more, digit by digit?',
  'One moment please, I am looking for your order in our system.',
  'Your appointment has been moved. You will get a message with the new date and time in a minute.',
] as const;

const spoken = new Map<string, Int16Array>();
function say(text: string, voice: string): Int16Array {
  const key = `${voice}/${text}`;
  const known = spoken.get(key) ?? phoneLine(text, { voice, wpm: 160 });
  spoken.set(key, known);
  return known;
}

export interface Speech {
  readonly pcm: Float32Array;
  /** First and one past the last sample of each utterance, as its own energy says (40 dB below its peak). */
  readonly utterances: readonly { readonly from: number; readonly to: number }[];
}

function rims(pcm: Int16Array): { from: number; to: number } {
  const peak = pcm.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1);
  const loud = (sample: number): boolean => Math.abs(sample) > peak * 0.01;
  return { from: pcm.findIndex(loud), to: pcm.findLastIndex(loud) + 1 };
}

/** A caller who says things with pauses of 0.7 to 2.5 s, at a level of his own (RMS of speech about -20 to -32 dBov). */
export function caller(seed: number, seconds: number): Speech {
  const random = seeded(seed);
  const pcm = new Float32Array(seconds * RATE_HZ);
  const utterances: { from: number; to: number }[] = [];
  const voice = VOICES[seed % VOICES.length] ?? 'en-us';
  const gain = 10 ** (-(random() * 12) / 20);
  let at = Math.round((1 + random()) * RATE_HZ);
  for (;;) {
    const words = say(CALLER[Math.floor(random() * CALLER.length)] ?? 'yes', voice);
    if (at + words.length + RATE_HZ > pcm.length) return { pcm, utterances };
    const { from, to } = rims(words);
    utterances.push({ from: at + from, to: at + to });
    for (let i = from; i < to; i++) pcm[at + i] = (words[i] ?? 0) * gain;
    at += words.length + Math.round((0.7 + random() * 1.8) * RATE_HZ);
  }
}

/** What we say: long sentences with short pauses. */
export function agent(seed: number, seconds: number): Float32Array {
  const random = seeded(seed);
  const pcm = new Float32Array(seconds * RATE_HZ);
  let at = Math.round(random() * RATE_HZ * 0.5);
  while (at < pcm.length) {
    const words = say(AGENT[Math.floor(random() * AGENT.length)] ?? AGENT[0], VOICES[Math.floor(random() * 4)] ?? 'en-us');
    for (let i = 0; i < words.length && at + i < pcm.length; i++) pcm[at + i] = words[i] ?? 0;
    at += words.length + Math.round((0.3 + random() * 0.9) * RATE_HZ);
  }
  return pcm;
}

const rms = (pcm: Float32Array): number => Math.sqrt(pcm.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, pcm.length));
/** RMS of what is not silence. */
export const activeRms = (pcm: Float32Array): number => rms(pcm.filter((sample) => Math.abs(sample) > 30));

/** Noise of a given RMS: white, or brown as in a car. */
export function noise(seed: number, length: number, level: number, kind: 'white' | 'car'): Float32Array {
  const random = seeded(seed);
  let low = 0;
  const pcm = Float32Array.from({ length }, () => {
    const white = random() + random() + random() - 1.5;
    low = low * 0.97 + white * 0.03;
    return kind === 'white' ? white : low;
  });
  const scale = level / rms(pcm);
  return pcm.map((sample) => sample * scale);
}

/** Our voice as it comes back: later, smeared over 16 ms, `db` below what was sent. */
export function echoOf(sent: Float32Array, seed: number, db: number): Float32Array {
  const random = seeded(seed);
  const delay = Math.round((0.03 + random() * 0.15) * RATE_HZ);
  const tail = Float32Array.from({ length: 128 }, (_, i) => (i === 0 ? 1 : (random() - 0.5) * Math.exp(-i / 32)));
  const out = new Float32Array(sent.length);
  for (let i = delay; i < out.length; i++) {
    let sum = 0;
    for (let k = 0; k < tail.length; k++) sum += (tail[k] ?? 0) * (sent[i - delay - k] ?? 0);
    out[i] = sum;
  }
  const scale = (activeRms(sent) / rms(out.filter((sample) => Math.abs(sample) > 30))) * 10 ** (db / 20);
  return out.map((sample) => sample * scale);
}

export const mix = (...parts: readonly Float32Array[]): Float32Array =>
  (parts[0] ?? new Float32Array()).map((_, i) => parts.reduce((sum, part) => sum + (part[i] ?? 0), 0));

export interface Line {
  readonly caller: Int16Array;
  readonly sent: Int16Array;
  /** Per frame of 20 ms: did it come over the network? */
  readonly natural: readonly boolean[];
}

/** G.711, and loss in bursts: a lost frame is the one before it, 6 dB down each time. */
export function overLine(caller: Float32Array, sent: Float32Array, lossSeed: number, loss: number): Line {
  const random = seeded(lossSeed);
  const pcm = Int16Array.from(caller, (sample) => overUlaw(sample));
  const natural: boolean[] = [];
  let lost = false;
  for (let at = 0; at + FRAME <= pcm.length; at += FRAME) {
    lost = loss > 0 && random() < (lost ? 0.4 : loss * 0.6);
    natural.push(!lost || at === 0);
    if (lost && at > 0) for (let i = 0; i < FRAME; i++) pcm[at + i] = Math.round((pcm[at + i - FRAME] ?? 0) / 2);
  }
  return { caller: pcm, sent: Int16Array.from(sent, (sample) => overUlaw(sample)), natural };
}

/** 16 kHz as the media engine makes it: even samples are the line's own, odd ones lie between them (half-band, 32 taps). */
export function toRing(narrow: Int16Array): Int16Array {
  const half = 16;
  const taps = Float64Array.from({ length: half }, (_, i) => {
    const x = i + 0.5;
    return (Math.sin(Math.PI * x) / (Math.PI * x)) * (0.5 + 0.5 * Math.cos((Math.PI * x) / half));
  });
  const wide = new Int16Array(narrow.length * 2);
  for (let n = 0; n < narrow.length; n++) {
    wide[2 * n] = narrow[n] ?? 0;
    let sum = 0;
    for (let i = 0; i < half; i++) sum += (taps[i] ?? 0) * ((narrow[n - i] ?? 0) + (narrow[n + 1 + i] ?? 0));
    wide[2 * n + 1] = Math.max(-32768, Math.min(32767, Math.round(sum)));
  }
  return wide;
}

const KEYS = [697, 770, 852, 941, 1209, 1336, 1477, 1633] as const;
const tone = (hz: number, i: number): number => Math.sin((2 * Math.PI * hz * i) / RATE_HZ);

/** One sound that is no voice, RMS about -20 dBov: a key, a knock, a few notes, a ringing tone, a breath. */
function sound(random: () => number): Float32Array {
  const kind = Math.floor(random() * 5);
  const pick = (list: readonly number[]): number => list[Math.floor(random() * list.length)] ?? 0;
  const low = pick(KEYS.slice(0, 4));
  const high = pick(KEYS.slice(4));
  const notes = Array.from({ length: 4 }, () => 220 * 2 ** (Math.floor(random() * 18) / 12));
  const [seconds, at]: readonly [number, (i: number) => number] = (
    [
      [0.12, (i: number) => 0.5 * (tone(low, i) + tone(high, i))],
      [0.15, (i: number) => 3 * (random() - 0.5) * Math.exp(-i / 150)],
      [2, (i: number) => ((hz) => 0.6 * tone(hz, i) + 0.3 * tone(2 * hz, i) + 0.15 * tone(3 * hz, i))(notes[Math.floor(i / 4000)] ?? 220)],
      [1, (i: number) => 0.5 * (tone(440, i) + tone(480, i))],
      [0.5, (i: number) => 0.8 * (random() - 0.5) * Math.sin((Math.PI * i) / 4000)],
    ] as const
  )[kind] ?? [0, () => 0];
  return Float32Array.from({ length: Math.round(seconds * RATE_HZ) }, (_, i) => at(i) * 6000);
}

/** Sounds that are no voice, one every 1.5 to 3 s. */
export function sounds(seed: number, seconds: number): Float32Array {
  const random = seeded(seed);
  const pcm = new Float32Array(seconds * RATE_HZ);
  for (let at = RATE_HZ; at < pcm.length - 3 * RATE_HZ; at += Math.round((1.5 + random() * 1.5) * RATE_HZ)) {
    const one = sound(random);
    for (let i = 0; i < one.length; i++) pcm[at + i] = (pcm[at + i] ?? 0) + (one[i] ?? 0);
  }
  return pcm;
}
