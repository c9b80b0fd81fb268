/** The desk of errands of a simulation: the real one, with tools, a model and colleagues as the test describes them. */
import type { LanguageModel } from '../../contracts/index.ts';
import { type FlowTest, type ManualTime, ScriptedModel, type ScriptedStep } from '../../dialogue/index.ts';
import { ResilientModel } from '../../engines/index.ts';
import { ErrandDesk, Refused, type ToolAdapter } from '../../integrations/index.ts';

export interface Called {
  readonly tool: string;
  readonly given: Readonly<Record<string, unknown>>;
}

/** Of a tool that is slow. */
const SLOW_MS = 1000;

/** The model of the configuration, where the flow chose none. */
const USUAL = 'usual';

export interface SimulationParts {
  readonly time: ManualTime;
  readonly called: Called[];
  /** Models that the flow may choose. */
  readonly names: readonly string[];
  readonly wrong: (text: string) => void;
}

export function deskOf(test: FlowTest, parts: SimulationParts): ErrandDesk {
  const { time, called } = parts;
  const counts = new Map<string, number>();
  const tools: ToolAdapter = ({ tool, arguments: given }) => {
    const count = counts.get(tool) ?? 0;
    counts.set(tool, count + 1);
    called.push({ tool, given });
    const answers = [test.tools[tool] ?? 'refuses'].flat();
    return answered(answers[Math.min(count, answers.length - 1)] ?? 'refuses', time);
  };
  const ask = (): Promise<'approved' | 'denied'> =>
    test.approves === 'nobody' ? new Promise(() => undefined) : Promise.resolve(test.approves === 'yes' ? 'approved' : 'denied');
  return new ErrandDesk({
    clock: time,
    timers: time,
    adapters: { http: tools, mcp: tools, port: tools },
    approvers: { ask },
    model: modelOf(test, parts),
  });
}

type Answer = Exclude<FlowTest['tools'][string], readonly unknown[]>;

function answered(answer: Answer, time: ManualTime): Promise<unknown> {
  switch (answer) {
    case 'fails':
      return Promise.reject(new Error('simulated'));
    case 'refuses':
    case 'vanished':
      return Promise.reject(new Refused('simulated'));
    case 'hangs':
      return new Promise(() => undefined);
    case 'lies':
      return Promise.resolve(['nonsense']);
    default:
      if (typeof answer['slow'] !== 'object') return Promise.resolve(answer);
      return new Promise((resolve) => time.after(SLOW_MS, () => resolve(answer['slow'])));
  }
}

/** Each model of the flow and the usual one behind them: what answers is as in a call, what it says is the test's. */
function modelOf(test: FlowTest, { time, names, wrong }: SimulationParts): LanguageModel {
  let seen = 0;
  const scripted = (name: string): ScriptedModel =>
    new ScriptedModel({ name, timers: time, script: () => (test.modelsDown.includes(name) ? [{ fail: 'LLM_FAILED' }] : answerBy(name)) });
  /** Says and calls what the test has for it, thought by thought; after the last it fails. */
  const answerBy = (name: string): readonly ScriptedStep[] => {
    const at = seen++;
    const thought = test.model[at];
    if (thought === undefined) return [{ fail: 'LLM_FAILED' }];
    if (thought.by !== undefined && thought.by !== name) wrong(`thought ${at + 1} came from the model "${name}", expected "${thought.by}"`);
    const calls = [thought.calls ?? []].flat().map((tool, i) => ({ id: `m${at}-${i}`, name: tool, arguments: thought.with }));
    return [
      ...(thought.says === undefined ? [] : [{ delta: { t: 'text' as const, text: thought.says } }]),
      ...calls.map((call) => ({ delta: { t: 'tool-call' as const, call } })),
      { delta: { t: 'done' as const, reason: 'stop' as const } },
    ];
  };
  const named = names.map((name) => ({ model: scripted(name), byName: true }));
  return new ResilientModel([{ model: scripted(USUAL) }, ...named], { name: USUAL, clock: time, timers: time });
}
