/**
 * How long to wait before a pause counts as the end of the turn. Evidence from words, from what was asked, from the voice, from a
 * detector and from the caller's own habits adds up to a probability that the caller is done, and that to a wait without steps:
 * a threshold would make scores near it cost seconds. The score holds for one moment of the silence; it is looked at every 20 ms.
 */
import type { Expectation, Prosody } from '../contracts/index.ts';
import type { Draft, Stretch } from './state.ts';
import type { TurnOptions } from './options.ts';
import { announces, digitsIn, endsAsking, endsWithPhrase, isBackchannel, isComplete, isHold, nameWords, tokensOf } from './words.ts';

/** Evidence as log odds: positive for an end. */
export type Evidence = Readonly<Record<string, number>>;

export interface Endpoint {
  /** Silence after the last voiced sample that ends the turn. */
  readonly waitMs: number;
  readonly probability: number;
  readonly evidence: Evidence;
}

const STEP_MS = 20;
/** Nothing in particular was asked for. */
const FREE: Evidence = { free: -0.2 };
/** Shorter voice is a start more often than an answer. */
const SHORT_VOICE_MS = 400;
/** A word takes a telephone caller about this long. */
const USUAL_WORD_MS = 330;
/** After our own false start the shortest wait is longer by this, for a few turns. */
const CAUTION_MS = 80;

type Facts = Pick<Draft, 'options' | 'reply' | 'asking' | 'history' | 'pauseEvidence' | 'retracted'>;

/** The wait for these stretches, as known now. */
export function endpointOf(draft: Readonly<Facts>, group: readonly Stretch[]): Endpoint {
  const { options, reply } = draft;
  const text = joined(group);
  const expect = options.slotGrammar ? reply.expect : null;
  if (isComplete(text, expect, options.words)) return certain(options.quickWaitMs * options.waitFactor, 'complete');
  if (draft.retracted !== null && addsNothing(text, draft.retracted, options))
    return certain(options.quickWaitMs * options.waitFactor, 'unchanged');
  if (options.endpoint === 'fixed') return certain(options.waitMs * options.waitFactor, 'fixed');
  if (isHold(tokensOf(text), options.words)) return { waitMs: options.holdMs, probability: 0, evidence: { hold: -9 } };
  const still = evidenceOf(draft, group, text, expect);
  const scale = rateScale(group, text) * options.waitFactor;
  const least = (options.minWaitMs + (draft.history.cautionTurns > 0 ? CAUTION_MS : 0)) * options.waitFactor;
  for (let silentMs = STEP_MS; silentMs < options.maxWaitMs; silentMs += STEP_MS) {
    const evidence = { ...still, ...habit(draft, silentMs) };
    const probability = logistic(Object.values(evidence).reduce((sum, logit) => sum + logit, 0));
    const waitMs = Math.max(least, Math.min(options.maxWaitMs, base(probability, options) * scale));
    if (silentMs + STEP_MS > waitMs) return { waitMs: Math.round(waitMs), probability, evidence };
  }
  return { waitMs: options.maxWaitMs, probability: 0, evidence: still };
}

/** A noise, or a listener's word, for which the turn was taken back: there is nothing new to wait for. */
function addsNothing(text: string, before: string, { words }: TurnOptions): boolean {
  const [now, was] = [tokensOf(text), tokensOf(before)];
  if (was.length > now.length || was.some((token, i) => token !== now[i])) return false;
  return isBackchannel(now.slice(was.length), words);
}

function certain(waitMs: number, name: string): Endpoint {
  return { waitMs, probability: 1, evidence: { [name]: 9 } };
}

/** From the shortest wait at 1 over `waitMs` at 0.5 to the longest at 0, in equal ratios. */
function base(probability: number, { waitMs, minWaitMs, maxWaitMs }: TurnOptions): number {
  const away = Math.abs(probability - 0.5) * 2;
  return waitMs * Math.pow((probability > 0.5 ? Math.min(minWaitMs, waitMs) : Math.max(maxWaitMs, waitMs)) / waitMs, away);
}

function logistic(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

/** What does not change while the silence goes on. */
function evidenceOf(draft: Readonly<Facts>, group: readonly Stretch[], text: string, expect: Expectation | null): Evidence {
  const asked = slot(text, expect, draft.options);
  // Whoever breaks in before the question has sounded may answer it; that he does not says nothing.
  const unasked = !draft.asking && asked.missing === true;
  return { ...lexical(text, draft.options), ...(unasked ? FREE : asked.evidence), ...voice(draft, group, expect) };
}

function lexical(text: string, { words }: TurnOptions): Evidence {
  const tokens = tokensOf(text);
  const last = tokens.at(-1);
  if (last === undefined) return { noWords: -0.5 };
  const found: Record<string, number> = {};
  if (endsWithPhrase(tokens, words.fillers)) found['filler'] = -4;
  else if (endsWithPhrase(tokens, words.openPhrases)) found['openPhrase'] = -4;
  else if (words.openers.includes(last)) found['openWord'] = -4;
  else if (endsWithPhrase(tokens, words.closers)) found['closer'] = 2.2;
  else if (endsAsking(tokens, words)) found['question'] = 1.2;
  else if (announces(tokens, words)) found['announced'] = -0.8;
  else Object.assign(found, nameSaid(nameWords(tokens, words)));
  if (/[.!?]["')]?$/.test(text) && !/\.\.\.$|…$/.test(text)) found['punctuation'] = 0.8;
  else if (/(,|-|\.\.\.|…)$/.test(text)) found['comma'] = -1;
  return found;
}

/** A first name alone is often followed by the other one. */
function nameSaid(words: number): Evidence {
  if (words === 0) return {};
  return words === 1 ? { nameHalf: -0.6 } : { nameWhole: 1 };
}

/** The biggest win on telephones: whoever was asked for four digits has not ended after three. `missing`: nothing of what was asked for. */
function slot(text: string, expect: Expectation | null, { words }: TurnOptions): { evidence: Evidence; missing?: boolean } {
  const tokens = tokensOf(text);
  const last = tokens.at(-1) ?? '';
  switch (expect?.kind) {
    case undefined:
    case 'free':
      return { evidence: FREE };
    case 'digits':
      return digitsLeft(digitsIn(tokens, words), expect.min);
    case 'yes-no':
      return words.answers.includes(tokens[0] ?? '') ? { evidence: { yesNo: 1 } } : { evidence: { yesNo: -0.2 }, missing: true };
    case 'choice':
      return { evidence: { choice: 0.4 } };
    case 'day':
    case 'time':
    case 'number':
      if (words.values.includes(last) || /\d/.test(last)) return { evidence: { value: 2.5 } };
      return { evidence: { valueMissing: -1 }, missing: true };
  }
}

function digitsLeft(digits: number, least: number): { evidence: Evidence; missing?: boolean } {
  if (digits <= 0) return { evidence: { notDigits: -0.2 }, missing: true };
  return { evidence: digits < least ? { digitsMissing: -3 } : { digitsEnough: -0.4 } };
}

function voice(draft: Readonly<Facts>, group: readonly Stretch[], expect: Expectation | null): Evidence {
  const found: Record<string, number> = {};
  const voicedMs = group.reduce((sum, stretch) => sum + stretch.voicedMs + stretch.endMs - stretch.voiceMs, 0);
  if (voicedMs < SHORT_VOICE_MS && expect?.kind !== 'yes-no') found['short'] = -0.6;
  const { prosody, detector } = draft.pauseEvidence;
  if (draft.options.prosody) Object.assign(found, melody(prosody));
  if (detector !== null) {
    const probability = Math.max(0.01, Math.min(0.99, detector));
    found['detector'] = 1.2 * Math.log(probability / (1 - probability));
  }
  return found;
}

/** Small weights: how people on telephones end their sentences is not measured yet. */
function melody(prosody: Prosody | null): Evidence {
  const found: Record<string, number> = {};
  const { pitchSlope = null, levelDropDb = null } = prosody ?? {};
  // A fall of 12 semitones per second is a plain end; a level tone keeps the floor.
  if (pitchSlope !== null) found['pitch'] = Math.max(-0.4, Math.min(0.4, -0.2 - pitchSlope / 20));
  if (levelDropDb !== null) found['level'] = Math.max(-0.2, Math.min(0.3, -0.2 - levelDropDb / 20));
  return found;
}

/** Within the length of this caller's usual pauses a pause is one of them; well past it, it is none. */
function habit({ history }: Readonly<Facts>, silentMs: number): Evidence {
  if (history.pauses < 2) return {};
  const away = (silentMs - 1.2 * history.pauseMs) / Math.max(150, history.pauseMs);
  return { habit: Math.max(-0.1, Math.min(0.8, away)) };
}

/** Slow talkers pause longer. */
function rateScale(group: readonly Stretch[], text: string): number {
  const words = tokensOf(text).length;
  if (words < 3) return 1;
  const voicedMs = group.reduce((sum, stretch) => sum + stretch.voicedMs + stretch.endMs - stretch.voiceMs, 0);
  return Math.max(0.85, Math.min(1.2, Math.sqrt(voicedMs / words / USUAL_WORD_MS)));
}

export function joined(group: readonly Stretch[]): string {
  return group.flatMap(({ heard }) => (heard?.t === 'words' ? [heard.text] : [])).join(' ');
}

export function sameWords(one: string, other: string): boolean {
  return tokensOf(one).join(' ') === tokensOf(other).join(' ');
}
