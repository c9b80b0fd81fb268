/**
 * What comes before a flow and stays beside it, whatever the flow is: the caller hears that this is a machine; is asked whether the
 * call may be recorded, or told that it is; can take consent back at any moment; gets a true answer to "are you human?".
 * A dialogue around a dialogue, as pure as the one inside.
 */
import type { Dialogue, DialogueEffect, DialogueEvent } from '../../contracts/index.ts';
import { LANGUAGES, type LanguagePack } from '../language/index.ts';
import { polarity } from '../understand/capture.ts';
import { createIntentFinder, type IntentFinder } from '../understand/phrases.ts';
import { createWithdrawalFinder } from './withdrawal.ts';
import { type Notices, type NoticeTexts, wordingSha256 } from './wording.ts';

type Say = Extract<DialogueEffect, { t: 'say' }>;
type Listen = Extract<DialogueEffect, { t: 'listen' }>;
type Consent = Extract<DialogueEffect, { t: 'consent' }>;
type Effects = readonly DialogueEffect[];

/** off: nothing is recorded. ask: with consent only. inform: on another legal basis, the caller is told. */
export type RecordingPolicy = 'off' | 'ask' | 'inform';

export interface OpenedState<S> {
  readonly inner: S;
  readonly stage: 'before' | 'informing' | 'asking' | 'open';
  /** What the flow wants said and done when the opening is over. */
  readonly deferred: Effects;
  /** Times that consent was asked. */
  readonly asked: number;
  readonly recording: boolean;
  /** The flow's open question: put again after something that came between. */
  readonly question: readonly Say[];
  readonly listen: Listen | null;
  /** What the flow has changed it to. */
  readonly language: string;
}

/** What depends on the language that the call is in. */
interface Speech {
  readonly texts: NoticeTexts;
  readonly pack: LanguagePack;
  readonly intent: IntentFinder;
  readonly isWithdrawal: (tokens: readonly string[]) => boolean;
}

interface Opening<S> extends Speech {
  readonly inner: Dialogue<S>;
  readonly version: string;
  readonly policy: RecordingPolicy;
}

const MAX_CHARS = 1000;
/** Asked twice; what is no answer then is a no. */
const MOST_ASKED = 2;

/** Errors: RangeError when the notices lack the flow's language. */
export function withOpening<S>(inner: Dialogue<S>, options: { notices: Notices; policy: RecordingPolicy }): Dialogue<OpenedState<S>> {
  const { notices, policy } = options;
  const languages = new Map<string, Opening<S>>();
  for (const [code, texts] of Object.entries(notices.byLanguage)) {
    const pack = LANGUAGES[code];
    if (pack === undefined) continue;
    const speech = { texts, pack, intent: createIntentFinder(pack), isWithdrawal: createWithdrawalFinder(pack) };
    languages.set(code, { inner, version: notices.version, policy, ...speech });
  }
  const own = languages.get(inner.language);
  if (own === undefined) throw new RangeError(`no notices in the language "${inner.language}"`);
  const begin: OpenedState<S> = {
    inner: inner.begin(),
    stage: 'before',
    deferred: [],
    asked: 0,
    recording: false,
    question: [],
    listen: null,
    language: inner.language,
  };
  return {
    flow: inner.flow,
    version: inner.version,
    language: inner.language,
    fixedTexts: [...new Set([...inner.fixedTexts, ...textsOf(own)])],
    ...(inner.beginning === undefined ? {} : { beginning: inner.beginning }),
    begin: () => begin,
    otherTexts: Object.fromEntries(
      Object.entries(inner.otherTexts ?? {}).map(([code, texts]) => [code, [...new Set([...texts, ...textsOf(languages.get(code))])]]),
    ),
    slots: (state) => inner.slots(state.inner),
    remembered: (state) => inner.remembered?.(state.inner) ?? {},
    languageOf: (state) => state.language,
    step: (state, event) => step(languages.get(state.language) ?? own, state, event),
  };
}

function textsOf<S>(opening: Opening<S> | undefined): string[] {
  return opening === undefined ? [] : Object.values(opening.texts as unknown as Record<string, string>);
}

type Stepped<S> = readonly [OpenedState<S>, Effects];

function step<S>(opening: Opening<S>, state: OpenedState<S>, event: DialogueEvent): Stepped<S> {
  if (event.t === 'recovered') return recovered(opening, state, event);
  if (state.stage === 'before' && event.t === 'start') return begin(opening, state, event);
  if (state.stage === 'informing' && event.t === 'said') return goOn(state, [{ t: 'record', act: 'start' }], true);
  // What is said into the notice counts when it is over.
  if (state.stage === 'informing') return [state, []];
  if (state.stage === 'asking') return answered(opening, state, event);
  if (state.stage === 'open' && event.t === 'heard') return heard(opening, state, event);
  return forward(opening, state, event);
}

function say(prompt: string, text: string, kind: Say['kind']): Say {
  return { t: 'say', text, prompt, kind, interruptible: kind !== 'notice' };
}

function forward<S>(opening: Opening<S>, state: OpenedState<S>, event: DialogueEvent): Stepped<S> {
  const [inner, effects] = opening.inner.step(state.inner, event);
  return [noted({ ...state, inner }, effects), effects];
}

/** Keeps what would have to be asked again. */
function noted<S>(before: OpenedState<S>, effects: Effects): OpenedState<S> {
  const changed = effects.findLast((effect) => effect.t === 'language');
  const state = changed === undefined ? before : { ...before, language: changed.language };
  const listen = effects.findLast((effect) => effect.t === 'listen');
  if (listen === undefined) return effects.some(({ t }) => t === 'say') ? { ...state, question: [], listen: null } : state;
  const says = effects.filter((effect) => effect.t === 'say');
  const questions = says.filter(({ kind }) => kind === 'question' || kind === 'confirm');
  return { ...state, listen, question: questions.length > 0 ? questions : says.slice(-1) };
}

// ---- before the flow ----

function begin<S>(opening: Opening<S>, before: OpenedState<S>, event: DialogueEvent): Stepped<S> {
  const { texts, policy } = opening;
  const [inner, effects] = opening.inner.step(before.inner, event);
  const firstSay = effects.find((effect) => effect.t === 'say');
  // The flow's own notices come first; a flow that has none gets ours.
  const disclosed = firstSay?.kind === 'notice';
  const rest = effects.findIndex(
    (effect) =>
      (effect.t === 'say' && effect.kind !== 'notice') ||
      !['say', 'step', 'slot', 'route', 'language', 'persona', 'refused'].includes(effect.t),
  );
  const preamble = disclosed ? effects.slice(0, rest < 0 ? effects.length : rest) : [say('ai_disclosure', texts.disclosure, 'notice')];
  const deferred = disclosed ? effects.slice(preamble.length) : effects;
  const state = { ...before, inner, deferred };
  // A flow that ends or transfers at once is not held up: nothing is recorded of it.
  const isOver = deferred.some(({ t }) => t === 'end' || t === 'transfer');
  if (policy === 'off' || isOver) return goOn({ ...state, deferred }, preamble, false);
  if (policy === 'inform') return [{ ...state, stage: 'informing' }, [...preamble, say('recording_notice', texts.recorded, 'notice')]];
  return ask(opening, state, preamble);
}

function ask<S>({ texts }: Opening<S>, state: OpenedState<S>, first: Effects): Stepped<S> {
  const effects: Effects = [...first, say('may_we_record', texts.mayRecord, 'question'), { t: 'listen', expect: { kind: 'yes-no' } }];
  return [{ ...state, stage: 'asking', asked: state.asked + 1 }, effects];
}

/** On to the flow. */
function goOn<S>(state: OpenedState<S>, first: Effects, recording: boolean): Stepped<S> {
  const { deferred } = state;
  return [noted({ ...state, stage: 'open', deferred: [], recording }, deferred), [...first, ...deferred]];
}

/** After a crash of ours: what was not finished is begun again; a consent that was given stands. */
function recovered<S>(opening: Opening<S>, state: OpenedState<S>, event: DialogueEvent): Stepped<S> {
  const { pack, texts } = opening;
  if (state.stage === 'before') return begin(opening, state, event);
  if (state.stage === 'asking') return ask(opening, state, [say('interrupted', pack.prompts.interrupted, 'apology')]);
  if (state.stage === 'informing') return [state, [say('recording_notice', texts.recorded, 'notice')]];
  const [next, effects] = forward(opening, state, event);
  return state.recording ? [next, [{ t: 'record', act: 'start' }, ...effects]] : [next, effects];
}

// ---- the answer to the question ----

function answered<S>(opening: Opening<S>, state: OpenedState<S>, event: DialogueEvent): Stepped<S> {
  if (event.t === 'heard') return saidToQuestion(opening, state, event);
  if (event.t === 'digits' && (event.digits === '1' || event.digits === '2')) return decided(opening, state, event.digits === '1', 'keys');
  if (event.t === 'digits' && event.digits === '0') return unanswered(opening, state, event, 'declined-to-answer');
  if (event.t === 'said') return [state, []];
  const isAgain = state.asked < MOST_ASKED;
  if (isAgain && ['digits', 'silence', 'not-understood'].includes(event.t)) return ask(opening, state, []);
  return decided(opening, state, false, event.t === 'silence' ? 'silence' : 'unclear');
}

function saidToQuestion<S>(opening: Opening<S>, state: OpenedState<S>, event: Extract<DialogueEvent, { t: 'heard' }>): Stepped<S> {
  const { pack } = opening;
  const tokens = pack.tokens(event.text.slice(0, MAX_CHARS));
  const intent = opening.intent(tokens);
  if (intent === 'machine') return ask(opening, { ...state, asked: state.asked - 1 }, [truth(pack)]);
  if (opening.isWithdrawal(tokens)) return decided(opening, state, false, 'voice');
  const yes = polarity(tokens, pack);
  if (yes !== null) return decided(opening, state, yes, 'voice');
  // Somebody who asks for a person, or says goodbye, is not asked again.
  if (intent === 'person' || intent === 'goodbye') return unanswered(opening, state, event, 'declined-to-answer');
  if (state.asked < MOST_ASKED) return ask(opening, state, []);
  return decided(opening, state, false, 'unclear');
}

function decided<S>(opening: Opening<S>, state: OpenedState<S>, yes: boolean, how: Consent['how']): Stepped<S> {
  if (!yes) return goOn(state, [consent(opening, 'refused', how), say('recording_refused', opening.texts.refused, 'statement')], false);
  const first: Effects = [
    consent(opening, 'granted', how),
    { t: 'record', act: 'start' },
    say('recording_granted', opening.texts.granted, 'statement'),
  ];
  return goOn(state, first, true);
}

/** No answer, but something that the flow knows what to do with. */
function unanswered<S>(opening: Opening<S>, state: OpenedState<S>, event: DialogueEvent, how: Consent['how']): Stepped<S> {
  const [next, effects] = forward(opening, { ...state, stage: 'open', deferred: [] }, event);
  const notes = state.deferred.filter(({ t }) => t === 'step' || t === 'slot');
  return [next, [consent(opening, 'refused', how), ...notes, ...effects]];
}

function consent<S>({ texts, version }: Opening<S>, result: Consent['result'], how: Consent['how']): Consent {
  return { t: 'consent', result, how, wordingVersion: version, wordingSha256: wordingSha256(texts.mayRecord) };
}

// ---- at any moment ----

function truth(pack: LanguagePack): Say {
  return say('i_am_a_machine', pack.prompts.i_am_a_machine, 'answer');
}

function heard<S>(opening: Opening<S>, state: OpenedState<S>, event: Extract<DialogueEvent, { t: 'heard' }>): Stepped<S> {
  const tokens = opening.pack.tokens(event.text.slice(0, MAX_CHARS));
  if (opening.isWithdrawal(tokens)) return withdrawn(opening, state);
  const [next, effects] = forward(opening, state, event);
  const isAsked = opening.intent(tokens) === 'machine';
  if (!isAsked || effects.some((effect) => effect.t === 'say' && effect.prompt === 'i_am_a_machine')) return [next, effects];
  // A flow that is busy, or took it for something else, does not keep the truth back.
  return [next, [truth(opening.pack), ...effects]];
}

function withdrawn<S>(opening: Opening<S>, state: OpenedState<S>): Stepped<S> {
  const { texts } = opening;
  const again: Effects = state.listen === null ? [] : [...state.question, state.listen];
  if (!state.recording) return [state, [say('not_recorded', texts.notRecorded, 'statement'), ...again]];
  const done: Effects = [
    consent(opening, 'withdrawn', 'voice'),
    { t: 'record', act: 'shred' },
    say('recording_withdrawn', texts.withdrawn, 'statement'),
  ];
  return [{ ...state, recording: false }, [...done, ...again]];
}
