/** The caller's speech: stretches begin, pause, go on and are decoded. */
import { type Draft, reason, SAMPLES_PER_MS, type Stretch } from './state.ts';
import { spokenText } from './words.ts';

/** Speech kept while our reply plays; what is older than that is no answer any more. */
const MAX_STRETCHES = 4;

/** The gate reports late: a sample's own time counts, as long as it is believable. */
const MAX_GATE_DELAY_MS = 1000;

export function speechStarted(draft: Draft, sample: number): void {
  const last = draft.stretches.at(-1);
  if (last?.voicing === true) {
    reason(draft, 'gate-repeated');
    return;
  }
  const atMs = sampleMs(draft, sample);
  const gapMs = last === undefined ? Infinity : atMs - last.endMs;
  const mayJoin = last !== undefined && !last.cut && (draft.agent === 'listening' || gapMs < draft.options.waitMs);
  if (mayJoin) {
    abandonDecode(draft, last);
    const pause = { toSample: last.toSample, resumeSample: Math.max(sample, last.toSample) };
    const voicedMs = last.voicedMs + (last.endMs - last.voiceMs);
    replaceLast(draft, { ...last, voicing: true, voiceMs: atMs, voicedMs, pause, decode: null, heard: null, remainder: false });
    reason(draft, 'resumed', { gapMs: Math.round(gapMs) });
    return;
  }
  draft.stretches = [...draft.stretches, newStretch(Math.max(sample, draft.doneSample), atMs, true)];
  dropOldest(draft);
}

export function speechEnded(draft: Draft, sample: number): void {
  const last = draft.stretches.at(-1);
  if (last?.voicing !== true) {
    reason(draft, 'gate-repeated');
    return;
  }
  const toSample = Math.max(sample, last.fromSample);
  const endMs = Math.max(sampleMs(draft, sample), last.voiceMs);
  // The decode runs under the wait: its words are there when the wait is over.
  const { options } = draft;
  replaceLast(draft, askForWords(draft, { ...last, voicing: false, toSample, endMs }, toSample + options.padMs * SAMPLES_PER_MS));
}

/** Asks the recogniser for a stretch up to `untilSample`. */
export function askForWords(draft: Draft, stretch: Stretch, untilSample: number): Stretch {
  draft.decodes += 1;
  const before = draft.stretches.at(-2)?.toSample ?? 0;
  const fromSample = Math.max(draft.doneSample, before, stretch.fromSample - draft.options.padMs * SAMPLES_PER_MS);
  draft.effects.push({ t: 'decode', decode: draft.decodes, fromSample, toSample: Math.max(untilSample, fromSample), kind: 'final' });
  return { ...stretch, decode: draft.decodes, askedMs: draft.nowMs, heard: null };
}

export function heardWords(draft: Draft, event: { decode: number; text: string; confidence: number }): void {
  const text = spokenText(event.text);
  answer(draft, event.decode, text === '' ? { t: 'nothing' } : { t: 'words', text, confidence: event.confidence });
}

export function decodeFailed(draft: Draft, decode: number): void {
  answer(draft, decode, { t: 'failed' });
}

/** The call is over: nothing of it is decoded any more. */
export function ended(draft: Draft): void {
  for (const stretch of draft.stretches) abandonDecode(draft, stretch);
  draft.stretches = [];
  draft.digits = '';
  draft.ended = true;
}

/** Forgets stretches that are not committed. */
export function dropStretches(draft: Draft, drop: (stretch: Stretch) => boolean): void {
  for (const stretch of draft.stretches) if (drop(stretch)) abandonDecode(draft, stretch);
  const dropped = draft.stretches.filter(drop);
  draft.stretches = draft.stretches.filter((stretch) => !drop(stretch));
  if (draft.stretches.length === 0) draft.doneSample = Math.max(draft.doneSample, ...dropped.map((stretch) => stretch.toSample));
}

export function newStretch(fromSample: number, atMs: number, voicing: boolean): Stretch {
  return {
    fromSample,
    toSample: fromSample,
    voicing,
    voiceMs: atMs,
    voicedMs: 0,
    endMs: atMs,
    pause: null,
    decode: null,
    askedMs: 0,
    heard: null,
    cut: false,
    remainder: false,
    stoppedUs: false,
  };
}

export function replaceLast(draft: Draft, ...stretches: readonly Stretch[]): void {
  draft.stretches = [...draft.stretches.slice(0, -1), ...stretches];
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

function sampleMs(draft: Draft, sample: number): number {
  return Math.min(draft.nowMs, Math.max(sample / SAMPLES_PER_MS, draft.nowMs - MAX_GATE_DELAY_MS));
}
