import type { Dialogue, DialogueEvent } from '../../contracts/index.ts';
import { parseIso } from '../calendar.ts';
import type { Flow } from '../flow/types.ts';
import { createFactSearch, type Knowledge, NO_KNOWLEDGE } from '../knowledge/facts.ts';
import { LANGUAGES } from '../language/index.ts';
import { createIntentFinder } from '../understand/phrases.ts';
import { type CallerEvent, errandDone, type ErrandEvent, whileWorking } from './errands.ts';
import { missed, silent, tooManyTurns, transferFailed } from './failures.ts';
import { recovered } from './recovered.ts';
import { heard, keyed } from './heard.ts';
import type { FlowState } from './state.ts';
import { enter, hangUp } from './steps.ts';
import { fillIn, own, promptText, type Script, type Talk, update } from './talk.ts';

/** A variable is a name or a word in a prompt. */
const MAX_VARIABLE = 200;

interface DialogueOptions {
  /** Knowledge by language code. */
  readonly facts?: Readonly<Record<string, Knowledge>>;
  /** The flow's own language unless given. */
  readonly language?: string;
  /** 'YYYY-MM-DD' where the caller is; the variable `today` at the start wins over it. */
  readonly today: string;
  /** Names of the desks that calls can be sent to. */
  readonly desks?: readonly string[];
}

/** A flow in one language, ready for calls: make it once, it holds no call's state. */
export function createDialogue(flow: Flow, options: DialogueOptions): Dialogue<FlowState> {
  const { today, desks = [] } = options;
  const wanted = options.language ?? flow.language;
  const language = flow.languages.includes(wanted) && LANGUAGES[wanted] !== undefined ? wanted : flow.language;
  const pack = LANGUAGES[language];
  if (pack === undefined) throw new RangeError(`no language pack "${language}"`);
  const knowledge = options.facts?.[language] ?? NO_KNOWLEDGE;
  const script: Script = { flow, pack, facts: createFactSearch(knowledge, pack), intent: createIntentFinder(pack), desks };
  const begin: FlowState = {
    phase: 'begin',
    step: flow.start,
    today,
    slots: {},
    variables: flow.variables,
    misses: 0,
    silences: 0,
    turns: 0,
    which: false,
    back: null,
    offered: false,
    outcome: null,
    errand: null,
    errands: 0,
    agent: null,
    last: [],
  };
  return {
    flow: flow.name,
    version: flow.version,
    language,
    fixedTexts: fixedTexts(script, knowledge),
    begin: () => begin,
    step(state, event) {
      const talk: Talk = { script, state, said: event.t === 'heard' ? event.text : '', effects: [] };
      take(talk, event);
      return [talk.state, talk.effects];
    },
    slots: (state) => state.slots,
  };
}

function take(talk: Talk, event: DialogueEvent): void {
  const { phase } = talk.state;
  if (event.t === 'start') {
    if (phase === 'begin') start(talk, event.variables);
  } else if (event.t === 'transfer-failed') {
    if (phase === 'transferring') transferFailed(talk);
  } else if (isErrand(event)) {
    if (phase === 'working' && talk.state.errand?.id === event.id) errandDone(talk, event);
  } else if (event.t === 'recovered') recovered(talk);
  else if (event.t === 'said') return;
  else if (phase === 'working') whileWorking(talk, event);
  else if (phase === 'open') onCaller(talk, event);
}

function isErrand(event: DialogueEvent): event is ErrandEvent {
  return 'id' in event;
}

function start(talk: Talk, given: Readonly<Record<string, string>>): void {
  const { flow } = talk.script;
  // Only what the flow declares: the dialplan cannot put words into prompts that the author did not plan for.
  const known = Object.entries(given).filter(([name]) => Object.hasOwn(flow.variables, name));
  const short = known.map(([name, value]) => [name, value.slice(0, MAX_VARIABLE)] as const);
  const today = given['today'];
  update(talk, {
    variables: { ...flow.variables, ...Object.fromEntries(short) },
    today: today !== undefined && parseIso(today) !== undefined ? today : talk.state.today,
  });
  enter(talk, flow.start, 'start');
}

function onCaller(talk: Talk, event: CallerEvent): void {
  update(talk, { turns: talk.state.turns + 1 });
  if (talk.state.turns > talk.script.flow.limits.turns) {
    tooManyTurns(talk);
    return;
  }
  switch (event.t) {
    case 'heard':
      heard(talk, event.text);
      break;
    case 'digits':
      keyed(talk, event.digits);
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

/** Every text without a slot in it, variables at their defaults; the runner's own texts and the facts included. */
function fixedTexts(script: Script, knowledge: Knowledge): readonly string[] {
  const { flow } = script;
  const prompts = Object.keys(flow.prompts).map((key) => fillIn(promptText(script, key), (name) => own(flow.variables, name)));
  const texts = [...prompts, ...knowledge.facts.map(({ answer }) => answer)];
  return [...new Set(texts.filter((text) => text !== '' && !text.includes('{')))];
}
