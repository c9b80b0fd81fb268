/** The gateway's side of the bench: the real call pipeline and media engine; only the PBX, the dialogue and the engines stand in. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CallRunner, type LiveEvent } from '../../src/call/index.ts';
import type { AuditLog, CallEvent, Dialogue, DialogueEffect, Logger, PbxCall, PbxDriver, PbxEvent } from '../../src/contracts/index.ts';
import { createMediaEngine } from '../../src/media/index.ts';
import { systemClock, systemTimers } from '../../src/observability/index.ts';
import type { TurnOptions } from '../../src/turn/index.ts';
import { PROFILES } from '../servers/draws.ts';
import { BenchEngines, type Capacities, type Said } from './engines.ts';
import { AGENT_TEXTS, callerTurns, type CallerTurn, GREETING, OPENERS, REPLIES } from './script.ts';
import { Stereo } from './stereo.ts';
import { prepare } from './voice.ts';
import type { CallerReport, FromCallers, Line, ToCallers } from './wire.ts';

export interface Group {
  /** Of the row in the table. */
  readonly name: string;
  readonly turn: TurnOptions;
  readonly profile: string;
  readonly line: Line;
  readonly calls: number;
  /** Number of its first caller: groups of one row with other callers share nothing, not even engines. */
  readonly first: number;
}

export interface RunOptions {
  readonly groups: readonly Group[];
  readonly turns: number;
  readonly seed: number;
  readonly capacities: Capacities;
}

export interface Decision {
  readonly atMs: number;
  readonly rule: string;
  readonly figures: Readonly<Record<string, unknown>>;
}

export interface CallResult {
  readonly row: string;
  readonly report: CallerReport;
  readonly decisions: readonly Decision[];
  readonly events: readonly TimedEvent[];
  /** Slots of 20 ms in which a reply that played had no sample ready. */
  readonly underruns: number;
}

export interface TimedEvent {
  readonly atMs: number;
  readonly event: LiveEvent['event'];
  /** With a waterfall: the silence before our reply, from the audio of both directions in the media engine. */
  stereoMs?: number | null;
}

export interface RunResult {
  readonly calls: readonly CallResult[];
  readonly tokens: readonly { readonly row: string; readonly tokens: { readonly made: number; readonly discarded: number } }[];
}

interface LiveCall extends Said {
  readonly id: string;
  readonly row: string;
  readonly line: Line;
  readonly script: readonly CallerTurn[];
  readonly decisions: Decision[];
  readonly events: TimedEvent[];
  /** Where the caller is: the turn that is spoken now or was spoken last, and whether it is over. */
  turn: number;
  over: boolean;
  pipelineId: string;
  pbx: BenchPbx;
  report: CallerReport | null;
}

const nowMs = (): number => systemClock.monoUs() / 1000;

export async function runCalls(options: RunOptions): Promise<RunResult> {
  const total = options.groups.reduce((sum, group) => sum + group.calls, 0);
  const ports = Math.max(40, total * 2 + 20);
  const media = createMediaEngine({
    host: '127.0.0.1',
    portMin: 42_000,
    portMax: 42_000 + ports - 1,
    maxCalls: total + 4,
    historyMs: 16_000,
    keepSent: true,
  });
  const audio = new Stereo(media);
  prepare(AGENT_TEXTS, 'agent');
  const program = fileURLToPath(new URL('./callers.ts', import.meta.url));
  const child = fork(program, [], { execArgv: ['--import', import.meta.resolve('tsx')], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const send = (message: ToCallers): void => void child.send(message);
  const calls = new Map<string, LiveCall>();
  const tokens: { row: string; tokens: BenchEngines['tokens'] }[] = [];
  const runners: CallRunner[] = [];
  try {
    const bound = new Promise<Readonly<Record<string, number>>>((resolve) => {
      child.on('message', (message: FromCallers) => {
        if (message.t === 'bound') resolve(message.ports);
        else heard(calls.get(message.id), message);
      });
    });
    for (const group of options.groups) {
      for (let i = group.first; i < group.first + group.calls; i++) {
        const id = `${group.name}/${i}`;
        // The callers of a row are those of every row: call i says the same everywhere.
        const script = callerTurns(options.seed, `call-${i}`, options.turns);
        const pbx = null as unknown as BenchPbx;
        calls.set(id, {
          id,
          row: group.name,
          line: group.line,
          script,
          words: [],
          decisions: [],
          events: [],
          turn: -1,
          over: true,
          pipelineId: '',
          pbx,
          report: null,
        });
      }
    }
    send({
      t: 'plan',
      calls: [...calls.values()].map(({ id, line, script }) => ({ id, seed: options.seed, line, turns: script })),
    });
    const portOf = await bound;
    for (const group of options.groups) {
      const engines = new BenchEngines({
        profile: PROFILES[group.profile]!,
        capacities: options.capacities,
        seed: options.seed,
        said: (callId) => [...calls.values()].find((call) => call.pipelineId === callId),
      });
      tokens.push({ row: group.name, tokens: engines.tokens });
      const pbx = new BenchPbx((id, port) => {
        send({ t: 'connect', id, port });
        return portOf[id]!;
      });
      runners.push(startRow(group, { engines, pbx, audio, calls }));
      for (let i = group.first; i < group.first + group.calls; i++) {
        const call = calls.get(`${group.name}/${i}`)!;
        call.pbx = pbx;
        // Callers do not all ring in the same 20 ms.
        setTimeout(() => pbx.ring(call.id), (i * 1700) / Math.max(1, group.calls) + runners.length * 37);
      }
    }
    while ([...calls.values()].some((call) => call.report === null)) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (child.exitCode !== null) throw new Error('the callers ended before their calls did');
    }
    return {
      tokens,
      calls: [...calls.values()].map(({ row, pipelineId, report, decisions, events }) => ({
        row,
        report: report!,
        decisions,
        events,
        underruns: audio.underruns(pipelineId),
      })),
    };
  } finally {
    child.disconnect();
    media.close();
  }
}

function heard(call: LiveCall | undefined, message: Exclude<FromCallers, { t: 'bound' }>): void {
  if (call === undefined) return;
  if (message.t === 'speaks') {
    call.words.push(...message.words);
    if (message.turn >= 0) [call.turn, call.over] = [message.turn, false];
  } else if (message.t === 'spoke') call.over = true;
  else {
    call.report = message.report;
    call.pbx.hangUp(call.id);
  }
}

function startRow(
  group: Group,
  { engines, pbx, audio, calls }: { engines: BenchEngines; pbx: BenchPbx; audio: Stereo; calls: ReadonlyMap<string, LiveCall> },
): CallRunner {
  const byPipeline = (id: string | null): LiveCall | undefined => [...calls.values()].find((call) => call.pipelineId === id && id !== '');
  const runner = new CallRunner(
    {
      pbx,
      media: audio.engine,
      stt: engines.stt,
      tts: engines.tts,
      think: (effects, about) => engines.think(effects, about),
      audit: NO_AUDIT,
      clock: systemClock,
      timers: systemTimers,
      logger: decisionLog(byPipeline),
      admit: () => 'continue',
      flow: (name) => dialogue(calls.get(name)!),
      desk: () => undefined,
    },
    { receive: 'ulaw', send: 'ulaw', turn: group.turn, drainMs: 1000, fillers: { en: { opener: OPENERS, wait: [] } } },
  );
  runner.watch(({ event }) => {
    if (event.type === 'call.incoming') {
      const call = calls.get(event.body.pbxId);
      if (call !== undefined) call.pipelineId = event.callId ?? '';
    }
    const timed: TimedEvent = { atMs: nowMs(), event };
    byPipeline(event.callId)?.events.push(timed);
    if (event.type === 'turn.latency' && event.callId !== null) audio.look(event.callId, (ms) => (timed.stereoMs = ms));
  });
  return runner;
}

/** Answers every turn; what it expects next is what the caller is about to say, or is still saying. */
function dialogue(call: LiveCall): Dialogue<unknown> {
  const listen = (): DialogueEffect => {
    const next = call.script[call.over ? call.turn + 1 : call.turn];
    return { t: 'listen', expect: next?.expect ?? { kind: 'free' } };
  };
  const say = (text: string, kind: 'answer' | 'statement'): DialogueEffect => ({
    t: 'say',
    text,
    prompt: 'bench',
    kind,
    interruptible: true,
  });
  return {
    flow: 'bench',
    version: 'bench',
    language: 'en',
    fixedTexts: [],
    begin: () => 0,
    slots: () => ({}),
    step: (state, event) => {
      const turns = state as number;
      if (event.t === 'start') return [turns, [say(GREETING, 'statement'), listen()]];
      if (event.t === 'said') return [turns, []];
      if (event.t === 'heard') return [turns + 1, [say(REPLIES[turns % REPLIES.length]!, 'answer'), listen()]];
      return [turns, [listen()]];
    },
  };
}

const NO_AUDIT: AuditLog = { append: () => Promise.resolve(), backlog: 0, healthy: true };

/** Keeps the reasons of the turn engine, which the pipeline logs. */
function decisionLog(of: (id: string) => LiveCall | undefined): Logger {
  const nothing = (): void => undefined;
  const log: Logger = {
    debug: (message, fields) => {
      if (message !== 'turn decision' || fields === undefined) return;
      const { call, rule, ...figures } = fields as { call: string; rule: string };
      of(call)?.decisions.push({ atMs: nowMs(), rule, figures });
    },
    info: nothing,
    warn: (message, fields) => console.error(`warning: ${message} ${JSON.stringify(fields ?? {})}`),
    error: (message, fields) => console.error(`error: ${message} ${JSON.stringify(fields ?? {})}`),
    child: () => log,
  };
  return log;
}

/** No PBX: callers and media engine meet directly. */
class BenchPbx implements PbxDriver {
  readonly kind = 'fake';
  readonly version = 'bench';
  readonly #connect: (id: string, port: number) => number;
  #listener: (event: PbxEvent) => void = () => undefined;

  constructor(connect: (id: string, port: number) => number) {
    this.#connect = connect;
  }
  ring(id: string): void {
    const call: PbxCall = { id, direction: 'inbound', from: { number: '', name: '' }, to: '', args: { flow: id }, state: 'ringing' };
    this.#listener({ t: 'incoming', call });
  }
  hangUp(id: string): void {
    this.#listener({ t: 'ended', id, reason: 'normal', q850: 16 });
  }
  onEvent(listener: (event: PbxEvent) => void): void {
    this.#listener = listener;
  }
  openMedia(id: string, want: Parameters<PbxDriver['openMedia']>[1]): ReturnType<PbxDriver['openMedia']> {
    return Promise.resolve({
      remoteHost: '127.0.0.1',
      remotePort: this.#connect(id, want.localPort),
      receive: want.receive,
      send: want.send,
    });
  }
  start = (): Promise<void> => Promise.resolve();
  stop = (): Promise<void> => Promise.resolve();
  claim = (): Promise<void> => Promise.resolve();
  answer = (): Promise<void> => Promise.resolve();
  dial = (): Promise<null> => Promise.resolve(null);
  transfer = (): Promise<void> => Promise.resolve();
  leave = (): Promise<void> => Promise.resolve();
  hangup = (): Promise<void> => Promise.resolve();
  sweep = (): Promise<number> => Promise.resolve(0);
  counters = (): Record<string, number> => ({});
}

export type { CallEvent };
