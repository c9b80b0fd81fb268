/** Walks a script through one answered call: the script decides, the leg sends, the dialog ends. The same for the caller and for a desk phone. */
import { encode } from './g711.ts';
import { voiced } from './level.ts';
import { heardWindows, sentAtMs, turnsOf, type Said, type Turn } from './measure.ts';
import { layOut, writeRecording } from './recording.ts';
import { monoMs, type LegCounters, type RtpLeg, type Utterance } from './rtp.ts';
import {
  advance,
  beginScript,
  describeStep,
  linesOf,
  type Script,
  type ScriptEffect,
  type ScriptEvent,
  type ScriptState,
} from './script.ts';
import type { RemoteMedia } from './sdp.ts';
import type { Dialog } from './sip-dialog.ts';
import { renderLine, type Line, type Voice } from './voice.ts';

/** Things worth showing while they happen. Times: ms since the call was answered. */
export type CallerEvent =
  | { readonly t: 'ringing'; readonly status: number }
  | { readonly t: 'answered'; readonly afterMs: number }
  | { readonly t: 'saying'; readonly atMs: number; readonly text: string }
  | { readonly t: 'said'; readonly atMs: number }
  | { readonly t: 'pressing'; readonly atMs: number; readonly keys: string }
  | { readonly t: 'agent-started'; readonly atMs: number }
  | { readonly t: 'agent-stopped'; readonly atMs: number }
  | { readonly t: 'ended'; readonly atMs: number; readonly end: ConversationEnd };

/** 'script-timeout': a wait was in vain; 'aborted': by signal or by `maxCallMs`. In both cases we hung up. */
export type ConversationEnd = 'remote-bye' | 'local-bye' | 'script-timeout' | 'aborted';

export interface ConversationResult {
  readonly end: ConversationEnd;
  /** What was in vain, in words, or null: "step 3 (wait for agent-finished)". */
  readonly problem: string | null;
  /** True when the script came to its end, or waited for the hang-up that came. */
  readonly finished: boolean;
  readonly durationMs: number;
  /** All times of turns: ms since the call was answered. */
  readonly turns: readonly Turn[];
  /** When the agent was first heard. */
  readonly firstHeardMs: number | null;
  /** Both sides from the moment of the answer: 8 kHz mono PCM. */
  readonly heard: Int16Array;
  readonly spoken: Int16Array;
  readonly recording: string | null;
  readonly rtp: RtpStats;
}
export interface RtpStats extends Readonly<LegCounters> {
  /** Packets that never came, by sequence numbers, over all sources. */
  readonly lost: number;
  readonly maxGapMs: number;
}
export interface ConversationOptions {
  readonly script: Script;
  readonly lines: ReadonlyMap<string, Line>;
  readonly recordTo?: string | undefined;
  readonly onEvent?: ((event: CallerEvent) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly maxCallMs: number;
}

/** Quiet after which the agent counts as silent, for display only. */
const AGENT_STOP_MS = 400;

/** Lines already rendered in this process: callers of a bench or a test say the same things again and again. */
const rendered = new Map<string, Line>();
const MAX_RENDERED = 256;

/** Renders all lines of a script before the call, so that nothing waits for a synthesiser in it. */
export async function renderScript(script: Script, voice: Voice): Promise<ReadonlyMap<string, Line>> {
  const lines = new Map<string, Line>();
  for (const text of linesOf(script)) {
    const key = JSON.stringify([voice.name, voice.wordsPerMinute, voice.pitch, text]);
    const line = rendered.get(key) ?? (await renderLine(text, voice));
    if (rendered.size < MAX_RENDERED) rendered.set(key, line);
    lines.set(text, line);
  }
  return lines;
}

export async function converse(
  leg: RtpLeg,
  dialog: Dialog,
  remote: RemoteMedia,
  options: ConversationOptions,
): Promise<ConversationResult> {
  return new Conversation(leg, dialog, remote, options).run();
}

class Conversation {
  readonly #leg: RtpLeg;
  readonly #dialog: Dialog;
  readonly #options: ConversationOptions;
  readonly #law: RemoteMedia['law'];
  readonly #zeroMs = monoMs();
  readonly #spoken: { line: Line; step: number; utterance: Utterance }[] = [];
  #script: ScriptState;
  #speaking: Utterance | null = null;
  #agent: { talking: boolean; lastMs: number } = { talking: false, lastMs: 0 };
  #end: ConversationEnd | null = null;
  #problem: string | null = null;

  constructor(leg: RtpLeg, dialog: Dialog, remote: RemoteMedia, options: ConversationOptions) {
    this.#leg = leg;
    this.#dialog = dialog;
    this.#options = options;
    this.#law = remote.law;
    this.#script = beginScript(options.script);
    leg.connect(remote);
  }

  async run(): Promise<ConversationResult> {
    const limit = setTimeout(() => this.#hangUp('aborted'), this.#options.maxCallMs);
    const abort = (): void => this.#hangUp('aborted');
    this.#options.signal?.addEventListener('abort', abort, { once: true });
    this.#leg.start({
      onSlot: (atMs) => this.#onSlot(atMs),
      onHeard: (packet) => this.#onHeard(packet.atMs, packet.pcm),
    });
    this.#step({ t: 'begin', atMs: monoMs() });
    if (this.#options.signal?.aborted === true) abort();
    const dialogEnd = await this.#dialog.ended;
    clearTimeout(limit);
    this.#options.signal?.removeEventListener('abort', abort);
    const endedMs = monoMs();
    this.#leg.close();
    const end = this.#end ?? dialogEnd;
    this.#tell({ t: 'ended', atMs: endedMs - this.#zeroMs, end });
    return this.#result(end, endedMs - this.#zeroMs);
  }

  #onSlot(atMs: number): void {
    if (this.#speaking?.doneAtMs !== null && this.#speaking !== null) {
      this.#speaking = null;
      this.#tell({ t: 'said', atMs: atMs - this.#zeroMs });
      this.#step({ t: 'spoken', atMs });
    } else this.#step({ t: 'tick', atMs });
    if (this.#agent.talking && atMs - this.#agent.lastMs > AGENT_STOP_MS) {
      this.#agent.talking = false;
      this.#tell({ t: 'agent-stopped', atMs: this.#agent.lastMs - this.#zeroMs });
    }
  }

  #onHeard(atMs: number, pcm: Int16Array): void {
    const isVoiced = voiced(pcm);
    if (isVoiced) {
      if (!this.#agent.talking) this.#tell({ t: 'agent-started', atMs: atMs - this.#zeroMs });
      this.#agent = { talking: true, lastMs: atMs };
    }
    this.#step({ t: 'heard', atMs, voiced: isVoiced, durationMs: pcm.length / 8 });
  }

  #step(event: ScriptEvent): void {
    const next = advance(this.#script, event);
    this.#script = next.state;
    for (const effect of next.effects) this.#execute(effect, event.atMs - this.#zeroMs);
  }

  #execute(effect: ScriptEffect, atMs: number): void {
    switch (effect.t) {
      case 'say': {
        const line = this.#options.lines.get(effect.text);
        if (line === undefined) {
          this.#hangUp('aborted');
          return;
        }
        this.#speaking = this.#leg.say(encode(this.#law, line.pcm));
        this.#spoken.push({ line, step: effect.step, utterance: this.#speaking });
        this.#tell({ t: 'saying', atMs, text: effect.text });
        return;
      }
      case 'press':
        this.#speaking = this.#leg.press(effect.keys);
        {
          this.#tell({ t: 'pressing', atMs, keys: effect.keys });
          return;
        }
      case 'hangup': {
        this.#hangUp('local-bye');
        return;
      }
      case 'timeout':
        this.#problem = describeStep(this.#options.script, effect.step);
        {
          this.#hangUp('script-timeout');
          return;
        }
    }
  }

  #hangUp(end: ConversationEnd): void {
    if (this.#dialog.over) return;
    this.#end ??= end;
    this.#dialog.bye().catch(() => undefined); // an unanswered BYE ends the call no less
  }

  #tell(event: CallerEvent): void {
    this.#options.onEvent?.(event);
  }

  async #result(end: ConversationEnd, durationMs: number): Promise<ConversationResult> {
    const { sentLog, heardLog, counters } = this.#leg;
    const windows = heardWindows(heardLog).map((window) => ({
      firstMs: window.firstMs - this.#zeroMs,
      lastMs: window.lastMs - this.#zeroMs,
    }));
    const said = this.#spoken.flatMap(({ line, step, utterance }): Said[] => {
      const start = sentAtMs(sentLog, utterance.firstPacket, line.firstVoiced);
      const stop = sentAtMs(sentLog, utterance.firstPacket, line.lastVoiced);
      // A line that the end of the call cut off is no turn.
      return start === null || stop === null ? [] : [{ text: line.text, step, startMs: start - this.#zeroMs, endMs: stop - this.#zeroMs }];
    });
    const spoken = layOut(sentLog, this.#zeroMs);
    const heard = layOut(heardLog, this.#zeroMs);
    const recordTo = this.#options.recordTo;
    if (recordTo !== undefined) await writeRecording(recordTo, spoken, heard);
    const step = this.#options.script[this.#script.step];
    const waitedForEnd = end === 'remote-bye' && step !== undefined && 'wait' in step && step.wait === 'hangup';
    return {
      end,
      problem: this.#problem,
      finished: end === 'local-bye' || waitedForEnd,
      durationMs,
      turns: turnsOf(said, windows, { spoken, heard }),
      firstHeardMs: windows[0]?.firstMs ?? null,
      heard,
      spoken,
      recording: recordTo ?? null,
      rtp: { ...counters, lost: this.#leg.lost, maxGapMs: gapOf(heardLog) },
    };
  }
}

function gapOf(log: readonly { atMs: number }[]): number {
  return log.reduce((most, packet, i) => Math.max(most, packet.atMs - (log[i - 1]?.atMs ?? packet.atMs)), 0);
}
