/** One conversation of a flow's own tests, in words, on virtual time: the dialogue and the desk of errands are the real ones. */
import type { DialogueEffect, DialogueEvent } from '../../contracts/index.ts';
import {
  createDialogue,
  type FlowTest,
  type FlowTestFile,
  type FlowTestTurn,
  type LoadedFlow,
  ManualTime,
  ScriptedModel,
} from '../../dialogue/index.ts';
import { ErrandDesk, Refused, type ToolAdapter } from '../../integrations/index.ts';

export interface Line {
  readonly who: 'caller' | 'agent' | 'act' | 'wrong';
  readonly text: string;
}

export interface Conversation {
  readonly name: string;
  readonly lines: readonly Line[];
  readonly problems: readonly string[];
  readonly turns: number;
  readonly cost: number;
  readonly ended: string;
}

/** Longest that a caller waits for an answer, ms of virtual time. */
const PATIENCE_MS = 60_000;

type Called = { readonly tool: string; readonly given: Readonly<Record<string, unknown>> };

export async function converse(loaded: LoadedFlow, file: FlowTestFile, test: FlowTest): Promise<Conversation> {
  const { flow } = loaded;
  const time = new ManualTime();
  const called: Called[] = [];
  const lines: Line[] = [];
  const problems: string[] = [];
  const dialogue = createDialogue(flow, { ...loaded, today: file.today, desks: file.desks });
  const desk = deskOf(test, time, called);
  let state = dialogue.begin();
  let reply: DialogueEffect[] = [];
  let ended = 'open';
  const signal = new AbortController().signal;
  const tell = (event: DialogueEvent): void => {
    const [next, effects] = dialogue.step(state, event);
    state = next;
    for (const effect of effects) {
      reply.push(effect);
      if (effect.t === 'say') lines.push({ who: 'agent', text: effect.text });
      if (effect.t === 'transfer') ended = `transfer ${effect.desk}`;
      if (effect.t === 'end') ended = effect.outcome;
      if (effect.t === 'transfer' || effect.t === 'end') lines.push({ who: 'act', text: ended });
      if (effect.t === 'route') lines.push({ who: 'act', text: `route to ${effect.choice} by ${effect.by}: ${effect.evidence}` });
      if (effect.t === 'refused') lines.push({ who: 'act', text: `refused: ${effect.what}, ${effect.rule}` });
      if (effect.t !== 'tool' && effect.t !== 'approval' && effect.t !== 'think') continue;
      if (effect.t === 'tool') lines.push({ who: 'act', text: `tool ${effect.request.tool} ${JSON.stringify(effect.request.arguments)}` });
      desk.begin(effect, { callId: 'simulated', context: test.context, signal }, tell);
    }
  };
  const wrong = (text: string): void => {
    problems.push(text);
    lines.push({ who: 'wrong', text });
  };
  tell({ t: 'start', variables: test.variables });
  for (const turn of test.turns) {
    if (
      turn.says !== undefined ||
      turn.keys !== undefined ||
      turn.silent === true ||
      turn.unheard === true ||
      turn.transferFails === true
    ) {
      reply = [];
      lines.push({ who: 'caller', text: turn.says ?? (turn.keys === undefined ? '...' : `keys ${turn.keys}`) });
      if (turn.transferFails === true) ended = 'open';
      tell(eventOf(turn));
    }
    await time.advance(state.phase === 'working' ? PATIENCE_MS : 0);
    checkTurn(turn, reply, dialogue.slots(state), wrong);
  }
  const cost = called.reduce((sum, { tool }) => sum + (flow.tools[tool]?.cost ?? 0), 0);
  const turns = lines.filter(({ who }) => who === 'caller').length;
  checkCall(test, { lines, called, ended, cost, turns }, wrong);
  return { name: test.name, lines, problems, turns, cost, ended };
}

function eventOf({ says, keys, silent, transferFails }: FlowTestTurn): DialogueEvent {
  if (says !== undefined) return { t: 'heard', text: says, confidence: 0.9 };
  if (keys !== undefined) return { t: 'digits', digits: keys };
  if (transferFails === true) return { t: 'transfer-failed', reason: 'simulated' };
  return silent === true ? { t: 'silence' } : { t: 'not-understood' };
}

function deskOf(test: FlowTest, time: ManualTime, called: Called[]): ErrandDesk {
  const counts = new Map<string, number>();
  const adapter =
    (tool: string): ToolAdapter =>
    ({ arguments: given }) => {
      const count = counts.get(tool) ?? 0;
      counts.set(tool, count + 1);
      called.push({ tool, given });
      const answers = [test.tools[tool] ?? 'refuses'].flat();
      const answer = answers[Math.min(count, answers.length - 1)];
      if (answer === 'fails') return Promise.reject(new Error('simulated'));
      if (answer === 'refuses' || answer === undefined) return Promise.reject(new Refused('simulated'));
      if (answer === 'hangs') return new Promise(() => undefined);
      return Promise.resolve(answer === 'lies' ? ['nonsense'] : answer);
    };
  const model = new ScriptedModel({
    timers: time,
    script: (_, seen) => {
      const thought = test.model[seen];
      if (thought === undefined) return [{ fail: 'LLM_FAILED' }];
      const call = { id: `m${seen}`, name: thought.calls ?? '', arguments: thought.with };
      return [
        ...(thought.says === undefined ? [] : [{ delta: { t: 'text' as const, text: thought.says } }]),
        ...(thought.calls === undefined ? [] : [{ delta: { t: 'tool-call' as const, call } }]),
        { delta: { t: 'done' as const, reason: 'stop' as const } },
      ];
    },
  });
  const ask = (): Promise<'approved' | 'denied'> =>
    test.approves === 'nobody' ? new Promise(() => undefined) : Promise.resolve(test.approves === 'yes' ? 'approved' : 'denied');
  const any: ToolAdapter = (call) => adapter(call.tool)(call);
  return new ErrandDesk({ clock: time, timers: time, adapters: { http: any, mcp: any, port: any }, approvers: { ask }, model });
}

function checkTurn(
  turn: FlowTestTurn,
  reply: readonly DialogueEffect[],
  slots: Readonly<Record<string, { readonly value: string }>>,
  wrong: (text: string) => void,
): void {
  const prompts = reply.flatMap((effect) => (effect.t === 'say' ? [effect.prompt] : []));
  const words = reply.flatMap((effect) => (effect.t === 'say' ? [effect.text] : [])).join(' ');
  for (const expected of turn.hears ?? []) {
    const pattern = /^\/(.*)\/$/.exec(expected)?.[1];
    const isHeard = pattern === undefined ? prompts.includes(expected) : new RegExp(pattern, 'iu').test(words);
    if (!isHeard) wrong(`expected to hear ${expected}, heard ${prompts.join(', ') || 'nothing'}`);
  }
  for (const [name, value] of Object.entries(turn.slots ?? {})) {
    const found = slots[name]?.value ?? 'nothing';
    if (found !== String(value)) wrong(`expected ${name} to be ${value}, it is ${found}`);
  }
}

function checkCall(
  test: FlowTest,
  { lines, called, ended, cost, turns }: { lines: readonly Line[]; called: readonly Called[]; ended: string; cost: number; turns: number },
  wrong: (text: string) => void,
): void {
  const said = lines.filter(({ who }) => who === 'agent').map(({ text }) => text.toLowerCase());
  for (const phrase of test.neverSaid) if (said.some((text) => text.includes(phrase.toLowerCase()))) wrong(`must never be said: ${phrase}`);
  if (test.ended !== undefined && test.ended !== ended) wrong(`expected the call to end with ${test.ended}, it is ${ended}`);
  if (test.called !== undefined) {
    const expected = test.called.map(({ tool, with: given }) => ({ tool, given }));
    const fits =
      expected.length === called.length &&
      expected.every(
        ({ tool, given }, i) =>
          called[i]?.tool === tool && Object.entries(given).every(([name, value]) => called[i]?.given[name] === value),
      );
    if (!fits) wrong(`expected the calls ${JSON.stringify(expected)}, there were ${JSON.stringify(called)}`);
  }
  if (test.bounds.turns !== undefined && turns > test.bounds.turns) wrong(`took ${turns} turns, at most ${test.bounds.turns} were allowed`);
  if (test.bounds.cost !== undefined && cost > test.bounds.cost) wrong(`cost ${cost}, at most ${test.bounds.cost} was allowed`);
}
