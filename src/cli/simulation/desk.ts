/** The desk of errands of a simulation: the real one, with tools, a model and colleagues as the test describes them. */
import { type FlowTest, type ManualTime, ScriptedModel } from '../../dialogue/index.ts';
import { ErrandDesk, Refused, type ToolAdapter } from '../../integrations/index.ts';

export interface Called {
  readonly tool: string;
  readonly given: Readonly<Record<string, unknown>>;
}

/** Of a tool that is slow. */
const SLOW_MS = 1000;

export function deskOf(test: FlowTest, time: ManualTime, called: Called[]): ErrandDesk {
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
    model: modelOf(test, time),
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

/** Says and calls what the test has for it, thought by thought; after the last it fails. */
function modelOf(test: FlowTest, time: ManualTime): ScriptedModel {
  return new ScriptedModel({
    timers: time,
    script: (_, seen) => {
      const thought = test.model[seen];
      if (thought === undefined) return [{ fail: 'LLM_FAILED' }];
      const names = [thought.calls ?? []].flat();
      const calls = names.map((name, i) => ({ id: `m${seen}-${i}`, name, arguments: thought.with }));
      return [
        ...(thought.says === undefined ? [] : [{ delta: { t: 'text' as const, text: thought.says } }]),
        ...calls.map((call) => ({ delta: { t: 'tool-call' as const, call } })),
        { delta: { t: 'done' as const, reason: 'stop' as const } },
      ];
    },
  });
}
