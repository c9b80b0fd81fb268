/** One conversation of a flow's own tests, in words, on virtual time: the dialogue and the desk of errands are the real ones. */
import type { CallFacts, Dialogue, DialogueEffect, DialogueEvent, LanguageModel } from '../../contracts/index.ts';
import {
  createDialogue,
  type FlowState,
  type FlowTest,
  type FlowTestFile,
  type FlowTestTurn,
  type LoadedFlow,
  ManualTime,
} from '../../dialogue/index.ts';
import type { ErrandDesk } from '../../integrations/index.ts';
import { createCaller, type Heard } from './callers.ts';
import { checkCall, checkTurn } from './checks.ts';
import { type Called, deskOf } from './desk.ts';
import type { Line } from './line.ts';

export interface Conversation {
  readonly name: string;
  readonly lines: readonly Line[];
  readonly problems: readonly string[];
  readonly turns: number;
  readonly cost: number;
  /** Longest that the caller waited for a word, and for a way on. */
  readonly waitMs: number;
  readonly wayOnMs: number;
  readonly ended: string;
  readonly slots: Readonly<Record<string, string>>;
}

/** Longest that a caller waits for an answer, ms of virtual time. */
const PATIENCE_MS = 60_000;

export interface SimulationOptions {
  /** Plays callers that have a goal; those that have none, or all without it, answer by their tables. */
  readonly callerModel?: LanguageModel | null;
  /** Counts repetitions: synthetic callers differ from one to the next. */
  readonly round?: number;
}

export async function converse(
  loaded: LoadedFlow,
  file: FlowTestFile,
  test: FlowTest,
  options: SimulationOptions = {},
): Promise<Conversation> {
  const talk = new SimulatedCall(loaded, file, test);
  await talk.begin();
  for (const turn of test.turns) await talk.turn(turn);
  if (test.caller !== undefined) {
    const caller = createCaller(test.caller, options.callerModel ?? null, options.round ?? 0);
    for (let turns = 0; turns < test.caller.turns && !talk.isOver; turns++) {
      const next = await caller.next(talk.heard);
      if (next === null) break;
      await talk.turn(next);
    }
    if (!talk.isOver) talk.wrong(`the caller had no more to say after ${test.caller.turns} turns at most, and the call goes on`);
  }
  return talk.result();
}

class SimulatedCall {
  readonly #steps: ReadonlyMap<string, LoadedFlow['flow']>;
  readonly #test: FlowTest;
  readonly #time = new ManualTime();
  readonly #called: Called[] = [];
  readonly #lines: Line[] = [];
  readonly #problems: string[] = [];
  readonly #remembered: Record<string, string> = {};
  /** Tools by the ids of their errands. */
  readonly #asked = new Map<string, string>();
  readonly #dialogue: Dialogue<FlowState>;
  readonly #desk: ErrandDesk;
  readonly #signal = new AbortController().signal;
  #state: FlowState;
  #reply: DialogueEffect[] = [];
  #ended = 'open';
  #turns = 0;
  /** Since when the caller waits for a word, and for a way on; null when he does not. */
  #since: { word: number | null; way: number | null } = { word: null, way: null };
  #waits = { word: 0, way: 0 };

  constructor(loaded: LoadedFlow, file: FlowTestFile, test: FlowTest) {
    this.#steps = new Map([[loaded.flow.name, loaded.flow], ...[...(loaded.called ?? [])].map(([name, one]) => [name, one.flow] as const)]);
    this.#test = test;
    const language = test.language ?? loaded.flow.language;
    this.#dialogue = createDialogue(loaded.flow, { ...loaded, today: file.today, desks: file.desks, language });
    const names = [...this.#steps.values()].flatMap(({ models }) => Object.keys(models));
    this.#desk = deskOf(test, { time: this.#time, called: this.#called, names: [...new Set(names)], wrong: (text) => this.wrong(text) });
    this.#state = this.#dialogue.begin();
  }

  get isOver(): boolean {
    return this.#ended !== 'open';
  }

  get heard(): Heard {
    const says = this.#reply.filter((effect) => effect.t === 'say');
    const step = this.#steps.get(this.#state.flow)?.steps[this.#state.step];
    const kind = says.some((say) => say.kind === 'confirm') || step?.t === 'confirm' ? 'confirm' : 'question';
    return { words: says.map(({ text }) => text).join(' '), slot: step?.t === 'ask' ? step.slot : null, kind };
  }

  async begin(): Promise<void> {
    this.#tell({ t: 'start', variables: this.#test.variables, facts: factsOf(this.#test) });
    await this.#settle();
  }

  async turn(turn: FlowTestTurn): Promise<void> {
    const event = eventOf(turn);
    if (event !== null) {
      this.#reply = [];
      if (turn.interrupts === true) {
        this.#note('act', 'talks into the reply');
        this.#tell({ t: 'said', interrupted: true, heard: '' });
      }
      this.#turns++;
      this.#note('caller', turn.says ?? (turn.keys === undefined ? (turn.unheard === true ? '(unclear)' : '...') : `keys ${turn.keys}`));
      if (turn.transferFails === true) this.#ended = 'open';
      this.#since = { word: this.#time.nowMs, way: this.#time.nowMs };
      this.#tell(event);
    }
    await this.#settle();
    checkTurn(turn, this.#reply, this.#dialogue.slots(this.#state), (text) => this.wrong(text));
  }

  /** Lets what is under way come to its end. */
  async #settle(): Promise<void> {
    await this.#time.advance(0);
    for (let ms = 0; this.#state.phase === 'working' && ms < PATIENCE_MS; ms += 50) await this.#time.advance(50);
  }

  #tell(event: DialogueEvent): void {
    if (event.t === 'tool-result') this.#note('act', answerOf(event, this.#asked.get(event.id) ?? 'a tool'));
    const [next, effects] = this.#dialogue.step(this.#state, { ...event, atMs: this.#time.nowMs });
    this.#state = next;
    for (const effect of effects) {
      this.#reply.push(effect);
      this.#show(effect);
      if (effect.t === 'say') this.#waited('word');
      if (effect.t === 'listen' || effect.t === 'transfer' || effect.t === 'end') this.#waited('way');
      if (effect.t === 'remember') this.#remembered[effect.name] = effect.value;
      if (effect.t !== 'tool' && effect.t !== 'approval' && effect.t !== 'think') continue;
      const about = { callId: 'simulated', context: this.#test.context, signal: this.#signal };
      this.#desk.begin(effect, about, (answer) => this.#tell(answer));
    }
  }

  #waited(what: 'word' | 'way'): void {
    const since = this.#since[what];
    if (since === null) return;
    this.#waits = { ...this.#waits, [what]: Math.max(this.#waits[what], this.#time.nowMs - since) };
    this.#since = { ...this.#since, [what]: null };
  }

  #show(effect: DialogueEffect): void {
    if (effect.t === 'say') this.#note('agent', effect.text);
    if (effect.t === 'transfer') this.#ended = `transfer ${effect.desk}`;
    if (effect.t === 'end') this.#ended = effect.outcome;
    if (effect.t === 'transfer' || effect.t === 'end') this.#note('act', this.#ended);
    if (effect.t === 'route') this.#note('act', `goes to ${effect.choice}, by ${effect.by}: ${effect.evidence}`);
    if (effect.t === 'refused') this.#note('act', `refused: ${effect.what}, ${effect.rule}`);
    if (effect.t === 'language') this.#note('act', `language ${effect.language}`);
    if (effect.t === 'persona') this.#note('act', `persona ${effect.persona}`);
    if (effect.t === 'approval') this.#note('act', `a colleague is asked: ${effect.summary}`);
    if (effect.t !== 'tool') return;
    const { id, tool, arguments: given } = effect.request;
    this.#asked.set(id, tool);
    this.#note('act', `asks ${tool}${listed(given)}`);
  }

  #note(who: Line['who'], text: string): void {
    this.#lines.push({ who, text, atMs: this.#time.nowMs });
  }

  readonly wrong = (text: string): void => {
    this.#problems.push(text);
    this.#note('wrong', text);
  };

  result(): Conversation {
    const slots = Object.fromEntries(Object.entries(this.#dialogue.slots(this.#state)).map(([name, { value }]) => [name, value]));
    const figures = { turns: this.#turns, cost: this.#state.spent, waitMs: this.#waits.word, wayOnMs: this.#waits.way, ended: this.#ended };
    checkCall(this.#test, { ...figures, lines: this.#lines, called: this.#called, remembered: this.#remembered }, this.wrong);
    return { name: this.#test.name, lines: this.#lines, problems: this.#problems, slots, ...figures };
  }
}

function answerOf({ outcome }: Extract<DialogueEvent, { t: 'tool-result' }>, tool: string): string {
  if (outcome.ok) return `${tool} answers${listed(outcome.data)}`;
  return `${tool} fails: ${outcome.reason}${outcome.mayHaveHappened ? ', it may have been done nevertheless' : ''}`;
}

/** ': day 2026-11-23, minutes 30'. */
function listed(values: Readonly<Record<string, string | number | boolean>>): string {
  const shown = Object.entries(values).map(([name, value]) => `${name} ${String(value)}`);
  return shown.length === 0 ? '' : `: ${shown.join(', ')}`;
}

/** Who calls is known from the context of the call where the test does not say it. */
function factsOf({ context, facts: { at, history, ...facts } }: FlowTest): CallFacts {
  const known = Object.entries({ from: context['caller'], ...facts }).filter(([, value]) => value !== undefined);
  return {
    ...(Object.fromEntries(known) as CallFacts),
    ...(at === undefined ? {} : { wallMs: Date.parse(at) }),
    ...(history === undefined ? {} : { history }),
  };
}

/** Null for a turn that only looks at what was said. */
function eventOf({ says, keys, silent, unheard, transferFails, confidence }: FlowTestTurn): DialogueEvent | null {
  if (says !== undefined) return { t: 'heard', text: says, confidence: confidence ?? 0.9 };
  if (keys !== undefined) return { t: 'digits', digits: keys };
  if (transferFails === true) return { t: 'transfer-failed', reason: 'simulated' };
  if (silent === true) return { t: 'silence' };
  return unheard === true ? { t: 'not-understood' } : null;
}
