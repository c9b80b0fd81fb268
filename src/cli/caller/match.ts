/**
 * Which prompts were heard, where, and how much of each: normalised cross-correlation of the recording with each prompt's rendering.
 *
 * Coarse: one second of the prompt against the whole recording at 2 kHz, by FFT. Fine: at 8 kHz, the delay to an eighth of a sample, then the prompt is
 * walked in pieces of 200 ms, each with a correlation of its own; so a prompt that was cut, or lost its middle, is reported as just that.
 * Level does not matter. A rendering by another resampler matches: what counts is the shape.
 */
import { Correlator } from './fft.ts';
import { throughLine } from './g711.ts';
import { RATE_HZ, VOICED_LEVEL, voiced, voicedRange } from './level.ts';
import { resample } from './resample.ts';

export interface Prompt {
  readonly id: string;
  /** 8 kHz mono, as it should sound. */
  readonly pcm: Int16Array;
}
/** A prompt from its rendering, at any rate: what it sounds like at the far end of a telephone line. */
export function promptFrom(id: string, speech: { readonly pcm: Int16Array; readonly rateHz: number }): Prompt {
  const low = resample(speech.pcm, speech.rateHz, RATE_HZ);
  return { id, pcm: throughLine(Int16Array.from(low, (sample) => Math.max(-32_768, Math.min(32_767, Math.round(sample))))) };
}

/** One place where a prompt, or its beginning, was heard. Times: ms from the start of the recording; `...Ms` of `missing` from the prompt's start. */
export interface PromptFound {
  readonly id: string;
  /** Where the prompt's first sample lies in the recording. */
  readonly offsetMs: number;
  /** Where the last heard part ends in the recording. */
  readonly endMs: number;
  /** Correlation over all parts that were found, 0..1. */
  readonly peak: number;
  /** From the prompt's first voiced sample without a hole to the end of what was heard, as a time in the prompt. */
  readonly heardMs: number;
  /** Time in the prompt of its last voiced sample: `heardMs` of a whole one, but for a frame. */
  readonly lengthMs: number;
  readonly complete: boolean;
  readonly missing: readonly { readonly fromMs: number; readonly toMs: number }[];
  /** How far the parts moved against each other (a gap that was put in or left out). */
  readonly slipMs: number;
}

const COARSE_HZ = 2000;
const PROBE_MS = 1000;
const COARSE_LEVEL = 0.45;
/** The same second at 8 kHz, delay still in whole samples: lower, for half a sample costs a hiss half its likeness. */
const FINE_LEVEL = 0.4;
const CANDIDATES = 6;
const APART_MS = 120;
/** A steady voice is nearly the same one period later, and half a coarse sample of delay can make that look better than the truth. */
const PERIOD_MS = 25;
const NEARLY = 0.7;
const PERIODS = 4;
const PIECE = RATE_HZ * 0.2;
const FRAME = RATE_HZ * 0.02;
/** Between the likeness of a frame that is there (about 0.9) and of one that is not (about 0). */
const FRAME_LEVEL = 0.4;
const LEAST = RATE_HZ * 0.3;
/** A last sound that fades below the line's noise is not missed. */
const TAIL = RATE_HZ * 0.05;
const PIECE_LEVEL = 0.6;
/** A piece that is looked for over a wide range finds something by chance more easily. */
const WIDE_LEVEL = 0.8;
const WIDE_SAMPLES = RATE_HZ * 0.06;
const FRACTIONS = 8;
/** RMS below which a window of the recording counts as empty. */
const FLOOR = 30;

/** Every place where each prompt was heard, in order of time, best first where two overlap. Prompts without speech are never found. */
export function findPrompts(heard: Int16Array, prompts: readonly Prompt[]): PromptFound[][] {
  if (heard.length === 0) return prompts.map(() => []);
  const search = new Search(heard);
  const found = search
    .places(prompts.map((prompt) => probeAt(prompt, 'head')))
    .map((places, i) => search.examine(prompts[i] as Prompt, places));
  // A prompt whose beginning was lost has to be found by its middle or its end.
  for (const part of ['middle', 'end'] as const) {
    const lacking = prompts.flatMap((prompt, index) => (found[index]?.some((place) => place.complete) === true ? [] : [{ prompt, index }]));
    const places = search.places(lacking.map(({ prompt }) => probeAt(prompt, part)));
    lacking.forEach(({ prompt, index }, i) => {
      found[index] = distinct([...(found[index] ?? []), ...search.examine(prompt, places[i] ?? [])]);
    });
  }
  return found;
}

/** The best place of one prompt, or null. */
export function findPrompt(heard: Int16Array, prompt: Prompt): PromptFound | null {
  const places = findPrompts(heard, [prompt])[0] ?? [];
  return places.reduce<PromptFound | null>((best, place) => (best === null || place.heardMs > best.heardMs ? place : best), null);
}

export interface Verdict {
  readonly id: string;
  /** The place that fits the order, or null when there is none. */
  readonly found: PromptFound | null;
}

/** Puts the prompts in the order in which they were meant: each after the end of the one before it. A whole one wins over a part. */
export function inOrder(
  prompts: readonly Prompt[],
  found: readonly (readonly PromptFound[])[],
): { readonly verdicts: readonly Verdict[]; readonly wholeAndInOrder: boolean } {
  let cursorMs = 0;
  const verdicts = prompts.map((prompt, index): Verdict => {
    const later = (found[index] ?? []).filter((place) => place.offsetMs >= cursorMs - 50);
    const longest = later.reduce<PromptFound | null>((best, place) => (best === null || place.heardMs > best.heardMs ? place : best), null);
    const place = later.find((candidate) => candidate.complete) ?? longest;
    if (place !== null) cursorMs = place.endMs;
    return { id: prompt.id, found: place };
  });
  return { verdicts, wholeAndInOrder: verdicts.every(({ found: place }) => place?.complete === true) };
}

interface Probe {
  readonly pcm: Float64Array;
  /** Where in the prompt it was taken, in samples at 8 kHz. */
  readonly at: number;
}
interface Place {
  /** Where the prompt's first sample would lie, 8 kHz samples; may be negative. */
  readonly offset: number;
  /** Where in the prompt the probe was. */
  readonly at: number;
}

function probeAt(prompt: Prompt, part: 'head' | 'middle' | 'end'): Probe | null {
  const range = voicedRange(prompt.pcm);
  if (range === null) return null;
  const length = Math.min((PROBE_MS * RATE_HZ) / 1000, range.last + 1 - range.first);
  const slack = range.last + 1 - range.first - length;
  // A multiple of the decimation, so that coarse and fine grids coincide.
  const at = Math.floor((range.first + (part === 'head' ? 0 : part === 'middle' ? slack / 2 : slack)) / 4) * 4;
  return { pcm: resample(prompt.pcm.subarray(at, at + length), RATE_HZ, COARSE_HZ), at };
}

class Search {
  readonly #heard: Int16Array;
  readonly #coarse: Float64Array;
  readonly #energy: Float64Array;
  readonly #correlator: Correlator;

  constructor(heard: Int16Array) {
    this.#heard = heard;
    this.#coarse = resample(heard, RATE_HZ, COARSE_HZ);
    this.#energy = new Float64Array(this.#coarse.length + 1);
    this.#coarse.forEach((sample, i) => (this.#energy[i + 1] = (this.#energy[i] ?? 0) + sample * sample));
    this.#correlator = new Correlator(this.#coarse, (PROBE_MS * COARSE_HZ) / 1000 + 1);
  }

  /** For each probe the places that are worth a closer look. */
  places(probes: readonly (Probe | null)[]): Place[][] {
    const out: Place[][] = probes.map(() => []);
    for (let i = 0; i < probes.length; i += 2) {
      const [a, b] = [probes[i], probes[i + 1]];
      const [forA, forB] = this.#correlator.correlate(a?.pcm ?? new Float64Array(0), b?.pcm);
      if (a) out[i] = this.#peaks(forA, a);
      if (b) out[i + 1] = this.#peaks(forB, b);
    }
    return out;
  }

  #peaks(correlation: Float64Array, probe: Probe): Place[] {
    const energy = probe.pcm.reduce((sum, sample) => sum + sample * sample, 0);
    const length = probe.pcm.length;
    const total = this.#coarse.length;
    const score = correlation.map((value, n) => {
      const inside = (this.#energy[Math.min(total, n + length)] ?? 0) - (this.#energy[n] ?? 0);
      return value / Math.sqrt(Math.max(inside, length * FLOOR * FLOOR) * energy);
    });
    const peaks: { n: number; value: number }[] = [];
    score.forEach((value, n) => {
      if (value > COARSE_LEVEL && value >= (score[n - 1] ?? 0) && value > (score[n + 1] ?? 0)) peaks.push({ n, value });
    });
    peaks.sort((a, b) => b.value - a.value);
    const kept: number[] = [];
    for (const { n } of peaks) {
      if (kept.length === CANDIDATES) break;
      if (kept.every((other) => Math.abs(other - n) > (APART_MS * COARSE_HZ) / 1000)) kept.push(n);
    }
    const besides = kept.flatMap((n) => {
      const near = peaks.filter((peak) => peak.n !== n && Math.abs(peak.n - n) <= (PERIOD_MS * COARSE_HZ) / 1000);
      return near.filter(({ value }) => value >= NEARLY * (score[n] ?? 0)).slice(0, PERIODS);
    });
    return [...kept, ...besides.map(({ n }) => n)].map((n) => ({ offset: n * 4 - probe.at, at: probe.at }));
  }

  examine(prompt: Prompt, places: readonly Place[]): PromptFound[] {
    const found = places.flatMap((place) => {
      const aligned = this.#align(prompt, place);
      return aligned === null ? [] : (walk(this.#heard, prompt, aligned) ?? []);
    });
    return distinct(found);
  }

  /** The exact delay: whole samples first, then eighths. Null when a closer look shows something else. */
  #align(prompt: Prompt, place: Place): Aligned | null {
    const probe = Float64Array.from(prompt.pcm.subarray(place.at, place.at + (PROBE_MS * RATE_HZ) / 1000));
    const at = place.offset + place.at;
    const { value: likeness, shift: whole } = bestShift(this.#heard, probe, at, 12);
    if (likeness < FINE_LEVEL) return null;
    let best = { value: -1, shift: 0, fraction: 0 };
    for (let f = -FRACTIONS / 2; f <= FRACTIONS / 2; f++) {
      const moved = delay(probe, f / FRACTIONS);
      const { value, shift } = bestShift(this.#heard, moved, at + whole, 1);
      if (value > best.value) best = { value, shift, fraction: f / FRACTIONS };
    }
    return { offset: place.offset + whole + best.shift, pcm: delay(Float64Array.from(prompt.pcm), best.fraction) };
  }
}

/** Overlapping finds of one prompt are one find: the one with more heard. In order of time. */
function distinct(found: readonly PromptFound[]): PromptFound[] {
  const kept: PromptFound[] = [];
  for (const place of [...found].sort((a, b) => b.heardMs - a.heardMs || b.peak - a.peak)) {
    if (kept.every((other) => Math.abs(other.offsetMs - place.offsetMs) > APART_MS)) kept.push(place);
  }
  return kept.sort((a, b) => a.offsetMs - b.offsetMs);
}

/** The prompt at the recording's own sampling instants. */
interface Aligned {
  readonly offset: number;
  readonly pcm: Float64Array;
}
interface Hole {
  readonly from: number;
  to: number;
}
interface Piece {
  readonly from: number;
  readonly to: number;
  readonly found: boolean;
  readonly shift: number;
}

/** Follows the prompt through the recording piece by piece. Null when no piece is there. */
function walk(heard: Int16Array, prompt: Prompt, aligned: Aligned): PromptFound | null {
  const range = voicedRange(prompt.pcm);
  if (range === null) return null;
  const pieces: Piece[] = [];
  let shift = 0;
  let lostPieces = 0;
  for (let from = range.first; from <= range.last; from += PIECE) {
    const to = Math.min(from + PIECE, range.last + 1);
    // A piece of nearly nothing (a pause, a last few samples) proves nothing.
    if (!voiced(prompt.pcm, from, to) || to - from < FRAME) continue;
    const part = aligned.pcm.subarray(from, to);
    let best = bestShift(heard, part, aligned.offset + shift + from, 2);
    let isThere = best.value >= PIECE_LEVEL;
    if (!isThere && lostPieces < 3) {
      best = bestShift(heard, part, aligned.offset + shift + from, WIDE_SAMPLES);
      isThere = best.value >= WIDE_LEVEL;
    }
    lostPieces = isThere ? 0 : lostPieces + 1;
    if (isThere) shift += best.shift;
    pieces.push({ from, to, found: isThere, shift });
  }
  return judge(heard, prompt, aligned, mended(heard, aligned, pieces), range.last + 1);
}

function judge(heard: Int16Array, prompt: Prompt, aligned: Aligned, pieces: readonly Piece[], end: number): PromptFound | null {
  const there = pieces.filter((piece) => piece.found);
  const first = there[0];
  const last = there.at(-1);
  // A few likely frames are chance: no prompt is known by less than this.
  const enough = there.reduce((sum, piece) => sum + piece.to - piece.from, 0) >= LEAST || there.length * 2 >= pieces.length;
  if (first === undefined || last === undefined || !enough) return null;
  const sums = { cross: 0, heard: 0, prompt: 0 };
  for (const piece of there) add(sums, heard, aligned.pcm, aligned.offset + piece.shift, piece);
  const missing = holes(heard, aligned, pieces);
  const firstHole = missing[0];
  const complete = firstHole === undefined;
  const heardSamples = firstHole === undefined ? end : firstHole.from;
  const lastHole = missing.at(-1);
  const endsInHole = lastHole?.to === pieces.at(-1)?.to;
  const endSample = endsInHole && lastHole !== undefined ? lastHole.from : end;
  const toMs = (samples: number): number => (samples * 1000) / RATE_HZ;
  const shifts = there.map((piece) => piece.shift);
  return {
    id: prompt.id,
    offsetMs: toMs(aligned.offset),
    endMs: toMs(aligned.offset + last.shift + endSample),
    peak: sums.cross / Math.sqrt(Math.max(1, sums.heard * sums.prompt)),
    heardMs: toMs(heardSamples),
    lengthMs: toMs(end),
    complete,
    missing: missing.map((hole) => ({ fromMs: toMs(hole.from), toMs: toMs(hole.to) })),
    slipMs: toMs(Math.max(...shifts) - Math.min(...shifts)),
  };
}

/** A piece in which the prompt slipped (a slot of silence came in) is there all the same: its frames fit one or the other side. */
function mended(heard: Int16Array, aligned: Aligned, pieces: readonly Piece[]): Piece[] {
  return pieces.map((piece, index) => {
    const [before, after] = [pieces[index - 1], pieces[index + 1]];
    if (piece.found || before?.found !== true || after?.found !== true || before.shift === after.shift) return piece;
    let odd = 0;
    for (let from = piece.from; from + FRAME <= piece.to; from += FRAME) {
      const frame = aligned.pcm.subarray(from, from + FRAME);
      if (isSilent(frame)) continue;
      const fits = [before.shift, after.shift].some(
        (shift) => bestShift(heard, frame, aligned.offset + shift + from, 0).value >= FRAME_LEVEL,
      );
      if (!fits) odd++;
    }
    return odd <= 2 ? { ...piece, found: true, shift: after.shift } : piece;
  });
}

/** Runs of pieces that were not there; their beginning is found by frames of 20 ms. */
function holes(heard: Int16Array, aligned: Aligned, pieces: readonly Piece[]): Hole[] {
  const out: Hole[] = [];
  pieces.forEach((piece, index) => {
    if (piece.found) {
      // Half a piece is enough to be found by: what is missing before a hole, or at the very end, may begin inside it.
      if (pieces[index + 1]?.found === true) return;
      const end = cutAt(heard, aligned, piece);
      if (soundEnd(aligned, piece) - end > TAIL) out.push({ from: end, to: piece.to });
      return;
    }
    const before = pieces[index - 1];
    const open = out.at(-1);
    if (open !== undefined && open.to === before?.to) open.to = piece.to;
    else out.push({ from: before === undefined ? piece.from : holeBegin(heard, aligned, piece, before), to: piece.to });
  });
  return out;
}

/** A piece after one that was heard: when nothing of it was, the hole begins where the sound before it ended. */
function holeBegin(heard: Int16Array, aligned: Aligned, piece: Piece, before: Piece): number {
  const end = cutAt(heard, aligned, { ...piece, shift: before.shift });
  return end > piece.from ? end : soundEnd(aligned, before);
}

function isSilent(frame: Float64Array): boolean {
  return frame.every((sample) => Math.abs(sample) < VOICED_LEVEL);
}

/** End of the last frame of a piece that makes a sound. */
function soundEnd(aligned: Aligned, piece: Piece): number {
  let end = piece.from;
  for (let from = piece.from; from + FRAME <= piece.to; from += FRAME)
    if (!isSilent(aligned.pcm.subarray(from, from + FRAME))) end = from + FRAME;
  return end;
}

/**
 * Up to where the piece follows the prompt: each voiced frame of 20 ms speaks for or against, and the beginning of the piece with the best sum is what
 * was heard. One odd frame (a hiss, a low one) does not end it.
 */
function cutAt(heard: Int16Array, aligned: Aligned, piece: Piece): number {
  let end = piece.from;
  let sum = 0;
  let best = 0;
  for (let from = piece.from; from + FRAME <= piece.to; from += FRAME) {
    const frame = aligned.pcm.subarray(from, from + FRAME);
    if (isSilent(frame)) continue;
    sum += bestShift(heard, frame, aligned.offset + piece.shift + from, 0).value - FRAME_LEVEL;
    if (sum < best) continue;
    best = sum;
    end = from + FRAME;
  }
  return end;
}

function add(
  sums: { cross: number; heard: number; prompt: number },
  heard: Int16Array,
  pcm: Float64Array,
  offset: number,
  piece: Piece,
): void {
  for (let i = piece.from; i < piece.to; i++) {
    const p = pcm[i] ?? 0;
    const h = heard[offset + i] ?? 0;
    sums.cross += p * h;
    sums.heard += h * h;
    sums.prompt += p * p;
  }
}

/** The shift within +-reach at which `part` fits best at `at`, and its normalised correlation there. Outside the recording is silence. */
function bestShift(heard: Int16Array, part: Float64Array, at: number, reach: number): { value: number; shift: number } {
  const energy = part.reduce((sum, sample) => sum + sample * sample, 0);
  const floor = part.length * FLOOR * FLOOR;
  let best = { value: -1, shift: 0 };
  for (let shift = -reach; shift <= reach; shift++) {
    let cross = 0;
    let inside = 0;
    for (let k = 0; k < part.length; k++) {
      const h = heard[at + shift + k] ?? 0;
      cross += h * (part[k] as number);
      inside += h * h;
    }
    const value = cross / Math.sqrt(Math.max(inside, floor) * Math.max(energy, 1));
    if (value > best.value || (value === best.value && Math.abs(shift) < Math.abs(best.shift))) best = { value, shift };
  }
  return best;
}

const DELAY_TAPS = 24;

/** Delays by a fraction of a sample (windowed sinc). */
function delay(pcm: Float64Array, fraction: number): Float64Array {
  if (fraction === 0) return pcm;
  const taps = Float64Array.from({ length: 2 * DELAY_TAPS + 1 }, (_, k) => {
    const x = k - DELAY_TAPS - fraction;
    return (Math.sin(Math.PI * x) / (Math.PI * x)) * (0.5 + 0.5 * Math.cos((Math.PI * x) / (DELAY_TAPS + 1)));
  });
  return pcm.map((_, n) => {
    let sum = 0;
    for (let k = 0; k < taps.length; k++) sum += (taps[k] as number) * (pcm[n - (k - DELAY_TAPS)] ?? 0);
    return sum;
  });
}
