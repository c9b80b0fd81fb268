import type { CallFacts, Dialogue, DialogueEvent } from '../../contracts/index.ts';
import { parseIso } from '../calendar.ts';
import type { Flow } from '../flow/types.ts';
import type { Knowledge } from '../knowledge/facts.ts';
import { LANGUAGES } from '../language/index.ts';
import { beginAgent } from './agent-state.ts';
import { specsOf } from './agent-tools.ts';
import { type CallerEvent, errandDone, type ErrandEvent, whileWorking } from './errands.ts';
import { missed, silent, tooManyTurns, transferFailed } from './failures.ts';
import { recovered } from './recovered.ts';
import { heard, keyed, secretGiven } from './heard.ts';
import { type FlowWithFacts, type Script, Scripts } from './scripts.ts';
import type { FlowState } from './state.ts';
import { enter, hangUp } from './steps.ts';
import { fillIn, own, promptText, type Talk, update } from './talk.ts';
import { MAX_VARIABLE } from './values.ts';

interface DialogueOptions {
  /** Knowledge by language code. */
  readonly facts?: Readonly<Record<string, Knowledge>>;
  /** The flow's own language unless given. */
  readonly language?: string;
  /** 'YYYY-MM-DD' where the caller is; the variable `today` at the start wins over it. */
  readonly today: string;
  /** Names of the desks that calls can be sent to. */
  readonly desks?: readonly string[];
  /** Flows that this one calls, as they were loaded with it. */
  readonly called?: ReadonlyMap<string, FlowWithFacts>;
}

/** A flow in one language, ready for calls: make it once, it holds no call's state. */
export function createDialogue(flow: Flow, options: DialogueOptions): Dialogue<FlowState> {
  const { today, desks = [], facts = {}, called = new Map<string, FlowWithFacts>() } = options;
  const wanted = options.language ?? flow.language;
  const language = flow.languages.includes(wanted) && LANGUAGES[wanted] !== undefined ? wanted : flow.language;
  const scripts = new Scripts({ flow, facts }, called, desks, language);
  const first = scripts.of(flow.name, language);
  if (first === undefined) throw new RangeError(`no language pack "${language}"`);
  const begin = beginning(scripts, flow, { language, today });
  const others = flow.languages.filter((code) => code !== language);
  return {
    flow: flow.name,
    version: flow.version,
    language,
    fixedTexts: fixedTexts(scripts, language),
    otherTexts: Object.fromEntries(others.map((code) => [code, fixedTexts(scripts, code)])),
    ...promptOf({ scripts, script: first, state: begin, said: '', confidence: 1, atMs: null, effects: [] }),
    begin: () => begin,
    step(state, event) {
      const heard = event.t === 'heard' ? event : null;
      const talk: Talk = {
        scripts,
        script: scripts.of(state.flow, state.language) ?? first,
        state,
        said: heard?.text ?? '',
        confidence: heard?.confidence ?? 1,
        atMs: event.atMs ?? null,
        effects: [],
      };
      take(talk, event);
      return [talk.state, talk.effects];
    },
    remembered: ({ remembered = {} }) => remembered,
    languageOf: (state) => state.language,
    // Of all flows under way; what was asked last wins.
    slots: ({ frames, slots }) => Object.assign({}, ...frames.map((frame) => frame.slots), slots) as FlowState['slots'],
  };
}

function beginning(scripts: Scripts, flow: Flow, { language, today }: { language: string; today: string }): FlowState {
  const flows = scripts.flows.flatMap((name) => scripts.of(name, language)?.flow ?? []);
  return {
    phase: 'begin',
    flow: flow.name,
    step: flow.start,
    today,
    slots: {},
    variables: flow.variables,
    told: {},
    frames: [],
    call: Object.assign({}, ...flows.map((one) => one.call)) as FlowState['call'],
    contact: Object.assign({}, ...flows.map((one) => one.contact)) as FlowState['contact'],
    facts: {},
    language,
    persona: null,
    model: null,
    risk: 'normal',
    spent: 0,
    misses: 0,
    silences: 0,
    turns: 0,
    which: false,
    back: null,
    offered: false,
    outcome: null,
    open: [],
    errands: 0,
    answered: 0,
    agent: null,
    last: [],
  };
}

function take(talk: Talk, event: DialogueEvent): void {
  const { phase } = talk.state;
  if (event.t === 'start') {
    if (phase === 'begin') start(talk, event.variables, event.facts ?? {});
  } else if (event.t === 'transfer-failed') {
    if (phase === 'transferring') transferFailed(talk);
  } else if (isErrand(event)) {
    if (phase === 'working') errandDone(talk, event);
  } else if (event.t === 'recovered') recovered(talk);
  else if (event.t === 'said') return;
  else if (phase === 'working') whileWorking(talk, event);
  else if (phase === 'open') onCaller(talk, event);
}

function isErrand(event: DialogueEvent): event is ErrandEvent {
  return 'id' in event;
}

function start(talk: Talk, given: Readonly<Record<string, string>>, facts: CallFacts): void {
  const { flow } = talk.script;
  // Only what the flow declares: the dialplan cannot put words into prompts that the author did not plan for.
  const known = Object.entries(given).filter(([name]) => Object.hasOwn(flow.variables, name));
  const short = known.map(([name, value]) => [name, value.slice(0, MAX_VARIABLE)] as const);
  const today = given['today'];
  update(talk, {
    variables: { ...flow.variables, ...Object.fromEntries(short) },
    contact: { ...talk.state.contact, ...kept(talk.state.contact, facts.contact ?? {}) },
    facts,
    today: today !== undefined && parseIso(today) !== undefined ? today : talk.state.today,
  });
  enter(talk, flow.start, 'start');
}

/** Of what is known about the contact, what the flows declare. */
function kept(declared: Readonly<Record<string, string>>, known: Readonly<Record<string, string>>): Record<string, string> {
  const names = Object.keys(declared).filter((name) => Object.hasOwn(known, name));
  return Object.fromEntries(names.map((name) => [name, (known[name] ?? '').slice(0, MAX_VARIABLE)]));
}

function onCaller(talk: Talk, event: CallerEvent): void {
  update(talk, { turns: talk.state.turns + 1 });
  if (talk.state.turns > talk.script.flow.limits.turns) {
    tooManyTurns(talk);
    return;
  }
  switch (event.t) {
    case 'heard':
      if (event.confidence < talk.script.flow.limits.confidence) missed(talk);
      else heard(talk, event.text);
      break;
    case 'digits':
      keyed(talk, event.digits);
      break;
    case 'secret':
      secretGiven(talk, event.slot, event.handle);
      break;
    case 'silence':
      silent(talk);
      break;
    case 'not-understood':
      missed(talk);
      break;
  }
  const last = talk.effects.at(-1)?.t;
  // Never a dead end, whatever the flow: the caller is listened to, sent on, or told goodbye.
  if (last !== 'listen' && last !== 'transfer' && last !== 'end' && talk.state.phase !== 'working') hangUp(talk, 'flow-error');
}

/** How the first agent of the flow begins. */
function promptOf(talk: Talk): Pick<Dialogue<FlowState>, 'beginning'> {
  const step = Object.values(talk.script.flow.steps).find(({ t }) => t === 'agent');
  if (step?.t !== 'agent') return {};
  beginAgent(talk, step);
  return { beginning: { messages: talk.state.agent?.messages ?? [], tools: specsOf(talk, step) } };
}

/** Every text without a slot in it, variables at their defaults; the runner's own texts and the facts included. */
function fixedTexts(scripts: Scripts, language: string): readonly string[] {
  const texts = scripts.flows.flatMap((name) => {
    const script = scripts.of(name, language);
    return script === undefined ? [] : textsOf(script);
  });
  return [...new Set(texts.filter((text) => text !== '' && !text.includes('{')))];
}

function textsOf(script: Script): string[] {
  const { flow, knowledge } = script;
  const prompts = Object.keys(flow.prompts).map((key) => fillIn(promptText(script, key), (name) => own(flow.variables, name)));
  return [...prompts, ...knowledge.facts.map(({ answer }) => answer)];
}
