/** The caller's speech: stretches begin, pause, go on and are decoded. */
import type { Prosody } from '../contracts/index.ts';
import { mayRetract, retract } from './retract.ts';
import { type Draft, reason, sampleMs, SAMPLES_PER_MS, type Stretch } from './state.ts';
import { newStretch, resumed } from './stretch.ts';
import { spokenText } from './words.ts';

/** Speech kept while our reply plays; what is older than that is no answer any more. */
const MAX_STRETCHES = 4;
/** Newest audio that may not have come out of the jitter buffer yet. */
const FRESH_MS = 20;
/** Shorter gaps are inside words: they say nothing about how the caller pauses. */
const PAUSE_MS = 150;
const NO_EVIDENCE = { prosody: null, detector: null };

export function speechStarted(draft: Draft, sample: number): void {
  draft.hintMs = null;
  const last = draft.stretches.at(-1);
  if (last?.voicing === true) {
    reason(draft, 'gate-repeated');
    return;
  }
  draft.pauseEvidence = NO_EVIDENCE;
  draft.partial = { decode: null, askedMs: draft.nowMs - draft.options.partialMs };
  const atMs = sampleMs(draft, sample);
  if (mayRetract(draft, atMs)) {
    draft.soFar = null;
    retract(draft, sample, atMs);
    return;
  }
  const gapMs = last === undefined ? Infinity : atMs - last.endMs;
  const listening = draft.agent === 'listening';
  if (last !== undefined && !last.cut && (listening || gapMs < draft.options.waitMs)) {
    abandonDecode(draft, last);
    abandonSpeculation(draft);
    // What is known of the stretch stays known until there are newer words.
    if (last.heard !== null) draft.soFar = last.heard.t === 'words' ? last.heard.text : '';
    replaceLast(draft, resumed(last, sample, atMs));
    if (listening && gapMs >= PAUSE_MS) learnPause(draft, gapMs);
    reason(draft, 'resumed', { gapMs: Math.round(gapMs) });
    return;
  }
  draft.soFar = null;
  draft.stretches = [...draft.stretches, newStretch(Math.max(sample, draft.doneSample), atMs, true)];
  dropOldest(draft);
}

export function speechEnded(draft: Draft, sample: number, prosody: Prosody | null): void {
  const last = draft.stretches.at(-1);
  if (last?.voicing !== true) {
    reason(draft, 'gate-repeated');
    return;
  }
  abandonPartial(draft);
  const toSample = Math.max(sample, last.fromSample);
  const endMs = Math.max(sampleMs(draft, sample), last.voiceMs);
  draft.pauseEvidence = { prosody, detector: null };
  const closed = { ...last, voicing: false, toSample, endMs };
  // The decode runs under the wait: its words are there when the wait is over.
  replaceLast(draft, draft.options.decodeEarly ? askForWords(draft, closed, untilSample(draft, closed)) : closed);
}

/** What has come of the audio that the recogniser is to have after the last voiced sample. */
export function untilSample(draft: Draft, stretch: Stretch): number {
  const came = Math.round((draft.nowMs - FRESH_MS) * SAMPLES_PER_MS);
  return Math.max(stretch.toSample, Math.min(stretch.toSample + draft.options.padMs * SAMPLES_PER_MS, came));
}

/** Asks the recogniser for a stretch up to `untilSample`. */
export function askForWords(draft: Draft, stretch: Stretch, until: number): Stretch {
  const fromSample = firstSample(draft, stretch);
  draft.decodes += 1;
  draft.effects.push({ t: 'decode', decode: draft.decodes, fromSample, toSample: Math.max(until, fromSample), kind: 'final' });
  return { ...stretch, decode: draft.decodes, askedMs: draft.nowMs, heard: null };
}

/** Asks for the words of the open stretch so far. */
export function askSoFar(draft: Draft, stretch: Stretch): void {
  const fromSample = firstSample(draft, stretch);
  const toSample = Math.max(fromSample, Math.round((draft.nowMs - FRESH_MS) * SAMPLES_PER_MS));
  draft.decodes += 1;
  draft.partial = { decode: draft.decodes, askedMs: draft.nowMs };
  draft.effects.push({ t: 'decode', decode: draft.decodes, fromSample, toSample, kind: 'partial' });
}

function firstSample(draft: Draft, stretch: Stretch): number {
  const earlier = draft.stretches.filter(({ fromSample }) => fromSample < stretch.fromSample);
  return Math.max(draft.doneSample, stretch.fromSample - draft.options.padMs * SAMPLES_PER_MS, ...earlier.map(({ toSample }) => toSample));
}

export function heardWords(draft: Draft, event: { decode: number; text: string; confidence: number; queueMs?: number }): void {
  const text = spokenText(event.text);
  if (event.queueMs !== undefined) draft.queueMs += (event.queueMs - draft.queueMs) * 0.3;
  if (event.decode === draft.partial.decode) {
    draft.partial = { ...draft.partial, decode: null };
    draft.soFar = text;
    return;
  }
  answer(draft, event.decode, text === '' ? { t: 'nothing' } : { t: 'words', text, confidence: event.confidence });
}

export function decodeFailed(draft: Draft, decode: number): void {
  if (decode === draft.partial.decode) draft.partial = { ...draft.partial, decode: null };
  else answer(draft, decode, { t: 'failed' });
}

/** The call is over: nothing of it is decoded any more. */
export function ended(draft: Draft): void {
  forgetSpeech(draft);
  draft.digits = '';
  draft.ended = true;
}

/** Forgets what the caller said and is not committed. */
export function forgetSpeech(draft: Draft): void {
  abandonPartial(draft);
  abandonSpeculation(draft);
  dropStretches(draft, () => true);
}

/** Forgets stretches that are not committed. */
export function dropStretches(draft: Draft, drop: (stretch: Stretch) => boolean): void {
  for (const stretch of draft.stretches) if (drop(stretch)) abandonDecode(draft, stretch);
  const dropped = draft.stretches.filter(drop);
  draft.stretches = draft.stretches.filter((stretch) => !drop(stretch));
  if (draft.stretches.length === 0) draft.doneSample = Math.max(draft.doneSample, ...dropped.map((stretch) => stretch.toSample));
}

export function replaceLast(draft: Draft, ...stretches: readonly Stretch[]): void {
  draft.stretches = [...draft.stretches.slice(0, -1), ...stretches];
}

export function abandonPartial(draft: Draft): void {
  const { decode } = draft.partial;
  if (decode !== null) draft.effects.push({ t: 'abort-decode', decode });
  draft.partial = { ...draft.partial, decode: null };
}

export function abandonSpeculation(draft: Draft): void {
  if (draft.speculation !== null) draft.effects.push({ t: 'abandon', attempt: draft.speculation.attempt });
  draft.speculation = null;
}

function learnPause(draft: Draft, gapMs: number): void {
  const { pauses, pauseMs } = draft.history;
  const mean = pauses === 0 ? gapMs : pauseMs + (gapMs - pauseMs) * 0.3;
  draft.history = { ...draft.history, pauses: pauses + 1, pauseMs: mean };
}

function answer(draft: Draft, decode: number, heard: Stretch['heard']): void {
  const asked = (stretch: Stretch): boolean => stretch.decode === decode && stretch.heard === null;
  if (!draft.stretches.some(asked)) {
    reason(draft, 'late-decode', { decode });
    return;
  }
  draft.stretches = draft.stretches.map((stretch) => (asked(stretch) ? { ...stretch, heard } : stretch));
}

function abandonDecode(draft: Draft, stretch: Stretch): void {
  if (stretch.decode !== null && stretch.heard === null) draft.effects.push({ t: 'abort-decode', decode: stretch.decode });
}

/** Keeps what waits for our reply to end within bounds. */
export function dropOldest(draft: Draft): void {
  if (draft.stretches.length <= MAX_STRETCHES) return;
  const [oldest] = draft.stretches;
  reason(draft, 'too-much-at-once', { kept: MAX_STRETCHES });
  dropStretches(draft, (stretch) => stretch === oldest);
}
