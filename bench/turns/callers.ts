/** The process of all callers: its own event loop, so that neither side's work delays the other's packets. */
import { Caller, nowMs } from './caller.ts';
import { AGENT_TEXTS, textsOf } from './script.ts';
import { prepare } from './voice.ts';
import type { FromCallers, ToCallers } from './wire.ts';

const SLOT_MS = 20;
const callers = new Map<string, Caller>();
const tell = (message: FromCallers): void => void process.send?.(message);

process.on('message', (message: ToCallers) => {
  if (message.t === 'connect') callers.get(message.id)?.connect(message.port);
  else void bind(message);
});
process.on('disconnect', () => process.exit(0));

async function bind({ calls }: Extract<ToCallers, { t: 'plan' }>): Promise<void> {
  prepare(AGENT_TEXTS, 'agent');
  for (const { turns } of calls) for (const turn of turns) prepare(textsOf(turn), 'caller');
  for (const plan of calls) callers.set(plan.id, await Caller.bind(plan, tell));
  tell({ t: 'bound', ports: Object.fromEntries([...callers.values()].map((caller) => [caller.id, caller.port])) });
  let slot = 0;
  const startMs = nowMs();
  const next = (): void => {
    for (const caller of callers.values()) caller.tick();
    slot += 1;
    setTimeout(next, Math.max(0, startMs + slot * SLOT_MS - nowMs()));
  };
  next();
}
