import type { GateEvent, Vad, VadEvent, VadSession, VadStats } from '../../contracts/index.ts';

/** Voice in [fromSample, toSample). */
export interface ScriptedSpeech {
  readonly fromSample: number;
  readonly toSample: number;
}

export interface ScriptedVadOptions {
  /** Where each caller's voice is, on the sample clock of the media session. What the gate hears elsewhere is noise. */
  readonly speech: Readonly<Record<string, readonly ScriptedSpeech[]>> | ((callId: string) => readonly ScriptedSpeech[]);
}

/** A voice that begins so soon after the gate's first sample is reported when the gate opens: 100 ms. */
const AT_ONCE = 1600;

/**
 * A detector without audio: it knows where each caller speaks. A voice that begins with the gate is reported when the gate opens;
 * everything else that is speech in a gate's opening when it closes. Shipped for tests, replays and simulations.
 */
export class ScriptedVad implements Vad {
  readonly name = 'scripted';
  readonly description = 'scripted voice activity (test fixture)';
  readonly #options: ScriptedVadOptions;
  readonly #open = new Set<ScriptedSession>();
  #listener: (state: 'up' | 'down', why: string) => void = () => undefined;
  #state: 'up' | 'down' = 'down';
  #unheard = 0;
  #restarts = 0;

  constructor(options: ScriptedVadOptions) {
    this.#options = options;
  }

  get state(): 'up' | 'down' {
    return this.#state;
  }

  start(): Promise<void> {
    this.#state = 'up';
    return Promise.resolve();
  }

  open({ callId }: { callId: string }): VadSession {
    const { speech } = this.#options;
    const parts = typeof speech === 'function' ? speech(callId) : (speech[callId] ?? []);
    const session = new ScriptedSession(
      parts,
      () => this.#state === 'up',
      () => this.#unheard++,
      () => this.#open.delete(session),
    );
    this.#open.add(session);
    return session;
  }

  onState(listener: (state: 'up' | 'down', why: string) => void): void {
    this.#listener = listener;
  }

  stats(): VadStats {
    const nothing = { listening: 0, windows: 0, runs: 0, shed: 0, discarded: 0, cpuMs: 0, callMs: 0 };
    return { ...nothing, sessions: this.#open.size, unheard: this.#unheard, restarts: this.#restarts };
  }

  /** As if the worker died: from now on the gate's edges pass through, beginning with the gates that are open. */
  crash(): void {
    this.#state = 'down';
    for (const session of this.#open) session.giveUp();
    this.#listener('down', 'crashed as the script wants');
  }

  revive(): void {
    this.#state = 'up';
    this.#restarts++;
    this.#listener('up', 'revived');
  }

  stop(): Promise<void> {
    this.#state = 'down';
    for (const session of this.#open) session.giveUp();
    return Promise.resolve();
  }
}

class ScriptedSession implements VadSession {
  readonly #speech: readonly ScriptedSpeech[];
  readonly #isUp: () => boolean;
  readonly #onUnheard: () => void;
  readonly #onClose: () => void;
  #listener: (event: VadEvent) => void = () => undefined;
  #opened: GateEvent | null = null;
  #byGate = false;
  #speaking = false;

  constructor(speech: readonly ScriptedSpeech[], isUp: () => boolean, onUnheard: () => void, onClose: () => void) {
    this.#speech = speech;
    this.#isUp = isUp;
    this.#onUnheard = onUnheard;
    this.#onClose = onClose;
  }

  onEvent(listener: (event: VadEvent) => void): void {
    this.#listener = listener;
  }

  gate(edge: GateEvent): void {
    if (edge.t === 'speech-start') {
      if (this.#opened !== null) return;
      this.#opened = edge;
      if (this.#isUp()) this.#begin(edge);
      else this.giveUp();
      return;
    }
    const opened = this.#opened;
    if (opened === null) return;
    this.#opened = null;
    if (this.#byGate) this.#listener({ ...edge, by: 'gate' });
    else this.#report(opened.sample, edge);
    this.#byGate = false;
  }

  near(): void {
    // The script says when a voice is known: with the gate.
  }

  playing(): void {
    // Where the voice is, is known: there is no echo.
  }

  giveUp(): void {
    if (this.#opened === null || this.#byGate) return;
    this.#byGate = true;
    this.#onUnheard();
    if (!this.#speaking) this.#listener({ ...this.#opened, by: 'gate' });
    this.#speaking = false;
  }

  close(): void {
    this.#listener = () => undefined;
    this.#onClose();
  }

  #begin({ sample, atUs }: GateEvent): void {
    const part = this.#speech.find(({ fromSample, toSample }) => fromSample <= sample + AT_ONCE && toSample > sample);
    if (part === undefined) return;
    this.#speaking = true;
    this.#listener({ t: 'speech-start', sample: Math.max(sample, part.fromSample), atUs, by: 'model' });
  }

  #report(from: number, { sample: to, atUs }: GateEvent): void {
    for (const part of this.#speech) {
      if (part.fromSample >= to || part.toSample <= from) continue;
      const sample = Math.max(from, part.fromSample);
      if (!this.#speaking) this.#listener({ t: 'speech-start', sample, atUs, by: 'model' });
      this.#speaking = false;
      this.#listener({ t: 'speech-end', sample: Math.max(sample, Math.min(to, part.toSample)), atUs, by: 'model' });
    }
    if (this.#speaking) this.#listener({ t: 'speech-end', sample: to, atUs, by: 'model' });
    this.#speaking = false;
  }
}

export function createScriptedVad(options: ScriptedVadOptions): ScriptedVad {
  return new ScriptedVad(options);
}
