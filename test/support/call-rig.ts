/** One gateway with every stage but turn/ faked, on virtual time. */
import { type CallOptions, CallRunner, type Stages } from '../../src/call/index.ts';
import type { Dialogue, DialogueEffect, DialogueEvent } from '../../src/contracts/index.ts';
import { silentLogger } from '../../src/observability/index.ts';
import { createScriptedStt, spoken } from '../../src/stt/index.ts';
import { createFakePbx } from '../../src/telephony/index.ts';
import { createScriptedTts } from '../../src/tts/index.ts';
import { TURN_DEFAULTS } from '../../src/turn/index.ts';
import { FakeMediaEngine, type FakeMediaSession } from './fake-media.ts';
import { MemoryAudit, settle, VirtualTime } from './virtual-time.ts';

type Answer = (event: DialogueEvent) => readonly DialogueEffect[];

export const say = (text: string, more: Partial<Extract<DialogueEffect, { t: 'say' }>> = {}): DialogueEffect => ({
  t: 'say',
  text,
  prompt: 'p',
  kind: 'statement',
  interruptible: true,
  ...more,
});
export const listen: DialogueEffect = { t: 'listen', expect: { kind: 'free' } };
export const NOTICE = say('hello machine', { kind: 'notice', interruptible: false, prompt: 'greeting' });

function scriptedDialogue(answer: Answer): Dialogue<unknown> {
  return {
    flow: 'test',
    version: 'v1',
    language: 'en',
    fixedTexts: [],
    begin: () => ({ at: 'open' }),
    step: (state, event) => [state, answer(event)],
    slots: () => ({ day: { value: '2026-11-27', spoken: 'friday' } }),
  };
}

export function rig(
  answer: Answer,
  says = spoken('i want a table', 32_000),
  options: Partial<CallOptions> = {},
  more: Partial<Stages> = {},
) {
  const time = new VirtualTime();
  const pbx = createFakePbx({ remote: { host: '127.0.0.1', port: 5000 } });
  const media = new FakeMediaEngine(time);
  const stt = createScriptedStt({ says: () => says });
  const tts = createScriptedTts();
  const audit = new MemoryAudit();
  const admission: { now: 'continue' | 'people' | 'block' } = { now: 'continue' };
  const runner = new CallRunner(
    {
      pbx,
      media,
      stt,
      tts,
      audit,
      clock: time,
      timers: time,
      logger: silentLogger,
      flow: (name) => (name === 'missing' ? undefined : scriptedDialogue(answer)),
      admit: () => admission.now,
      desk: (name) => (name === 'sales' ? { context: 'parley-desks', extension: '100' } : undefined),
      ...more,
    },
    { receive: 'ulaw', send: 'ulaw', turn: TURN_DEFAULTS, drainMs: 1000, ...options },
  );
  time.every10Ms((ms) => {
    for (const session of media.sessions) if (!session.closed) session.play(ms);
  });
  const begin = async (args: Record<string, string> = { flow: 'test' }): Promise<string> => {
    await pbx.start();
    await stt.start();
    await tts.start();
    await settle();
    const id = pbx.ring({ args });
    await settle();
    return id;
  };
  return { time, pbx, media, stt, tts, audit, runner, begin, admission };
}

export const session = (media: FakeMediaEngine): FakeMediaSession => media.sessions[0]!;
export const doneTo = (pbx: ReturnType<typeof createFakePbx>): string[] =>
  pbx.actions.map((action) => action.t).filter((name) => name !== 'sweep' && name !== 'claim');

export const gate = (line: { time: VirtualTime; media: FakeMediaEngine }, t: 'speech-start' | 'speech-end', sampleMs: number): void =>
  session(line.media).emit({ t, sample: sampleMs * 16, atUs: line.time.us });

/** A rig that has greeted and listens; `at` lets time pass up to that moment of the call. */
export async function listening(
  answer: (event: DialogueEvent) => readonly DialogueEffect[],
  says = spoken('i want a table', 32_000),
  options: Partial<CallOptions> = {},
  more: Partial<Stages> = {},
) {
  const made = rig((event) => (event.t === 'start' ? [NOTICE, listen] : answer(event)), says, options, more);
  const zeroUs = made.time.us;
  const id = await made.begin();
  const at = (ms: number): Promise<void> => made.time.pass(ms - (made.time.us - zeroUs) / 1000);
  await at(1500);
  return { ...made, at, id };
}
