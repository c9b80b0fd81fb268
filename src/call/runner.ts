/** All open calls: which PBX event belongs to which, what happens to the calls when the PBX link or this process goes. */
import {
  type Dialogue,
  type EngineAnswer,
  type EngineKind,
  type KeptCall,
  ParleyError,
  type PbxCall,
  type PbxEvent,
} from '../contracts/index.ts';
import { BrokenRecordings } from './broken-recordings.ts';
import { Capacity } from './capacity.ts';
import { Journal } from './journal.ts';
import { CallPipeline } from './pipeline.ts';
import type { CallOptions, LiveEvent, LiveListener, Stages } from './ports.ts';

export interface OpenCall {
  readonly id: string;
  readonly pbxId: string;
  readonly flow: string;
  readonly durationMs: number;
}

export class CallRunner {
  readonly #stages: Stages;
  readonly #options: CallOptions;
  readonly #calls = new Map<string, CallPipeline>();
  readonly #listeners = new Set<LiveListener>();
  readonly #journal: Journal;
  /** What the process before this one left, by the PBX's ids, until the PBX has said which of them it still has. */
  readonly #left = new Map<string, KeptCall>();
  readonly #capacity: Capacity;
  readonly #live: LiveListener = (event: LiveEvent) => {
    for (const listener of this.#listeners) listener(event);
  };
  #draining = false;
  #idle: (() => void) | null = null;
  #linkUp = false;

  constructor(stages: Stages, options: CallOptions) {
    this.#stages = stages;
    this.#options = options;
    this.#journal = new Journal(null, { audit: stages.audit, logger: stages.logger, clock: stages.clock, live: this.#live });
    stages.pbx.onEvent((event) => this.#onPbx(event));
    const { clock, timers } = stages;
    this.#capacity = new Capacity({ policy: options.capacity ?? null, clock, timers, journal: this.#journal });
    stages.stt.onState((state, why) => {
      this.#journal.write({ type: 'engine.state', body: { engine: 'stt', state, why } });
      this.#capacity.engine('stt', state === 'up');
    });
    stages.vad?.onState((state, why) => this.#journal.write({ type: 'engine.state', body: { engine: 'vad', state, why } }));
  }

  /** What is saved on now, and whether new calls are taken. */
  get capacity(): Pick<Capacity, 'saves' | 'waited' | 'admit'> {
    return this.#capacity;
  }

  /** One engine of a chain has died, is left alone for a while, or is back; others may serve in its place. */
  engineState(engine: EngineKind, name: string, state: 'up' | 'down'): void {
    this.#journal.write({ type: 'engine.state', body: { engine, state, why: 'one of a chain', name } });
  }

  /** A language model has answered for a call, or nobody has. */
  answered(answer: EngineAnswer): void {
    if (answer.firstMs !== null) this.#capacity.waited('llmFirstToken', answer.firstMs);
    for (const call of this.#calls.values()) if (call.id === answer.callKey) call.answered(answer);
  }

  /** The pen for events of the gateway itself. */
  get journal(): Journal {
    return this.#journal;
  }

  get linkUp(): boolean {
    return this.#linkUp;
  }

  /** Call before the PBX is connected: calls that were open when the process before this one died go on, or get their end. */
  async recover(): Promise<void> {
    for (const call of (await this.#stages.openCalls?.left()) ?? []) this.#left.set(call.pbxId, call);
    if (this.#left.size > 0) this.#stages.logger.warn('calls were open when Parley died', { calls: this.#left.size });
  }

  openCalls(): readonly OpenCall[] {
    const nowUs = this.#stages.clock.monoUs();
    return [...this.#calls.values()].map((call) => ({
      id: call.id,
      pbxId: call.pbxId,
      flow: call.flow,
      durationMs: Math.round((nowUs - call.startedUs) / 1000),
    }));
  }

  /** Live events, with their content. Returns how to stop. */
  watch(listener: LiveListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #onPbx(event: PbxEvent): void {
    switch (event.t) {
      case 'link':
        this.#linkUp = event.state === 'up';
        if (this.#linkUp && !this.#draining) this.#claim();
        this.#journal.write({ type: 'pbx.link', body: { state: event.state, attempt: event.attempt, version: this.#stages.pbx.version } });
        break;
      case 'resync':
        this.#resync(event.calls);
        break;
      case 'incoming':
        this.#take(event.call);
        break;
      case 'dtmf':
      case 'held':
      case 'resumed':
      case 'ended':
        this.#calls.get(event.id)?.onPbx(event);
        break;
    }
  }

  #take(call: PbxCall): void {
    const name = call.args['flow'] ?? '';
    const dialogue = this.#stages.flow(name, call.id);
    const admission = this.#stages.admit(call.from.number);
    if (this.#draining) {
      this.#refuse(call, 'draining');
    } else if (admission === 'block') {
      this.#stages.pbx.hangup(call.id, 'congestion').catch(() => undefined);
    } else if (admission === 'people') {
      this.#refuse(call, 'log-full');
    } else if (admission === 'restricted') {
      this.#refuse(call, 'restricted');
    } else if (this.#capacity.admit() === 'people') {
      this.#refuse(call, 'capacity');
    } else if (dialogue === undefined) {
      this.#stages.logger.error('the dialplan named a flow that does not exist', { code: 'CALL_NO_FLOW', flow: name });
      this.#refuse(call, 'no-flow');
    } else {
      this.#open(call, dialogue);
    }
  }

  #open(call: PbxCall, dialogue: Dialogue<unknown>, kept?: KeptCall): void {
    const pipeline = new CallPipeline({
      stages: this.#stages,
      options: this.#options,
      call,
      dialogue,
      live: this.#live,
      capacity: this.#capacity,
      ...(kept === undefined ? {} : { kept }),
      onEnded: (ended) => this.#forget(ended),
    });
    this.#calls.set(call.id, pipeline);
    this.#capacity.calls(this.#calls.size);
    void pipeline.start();
  }

  /** A gateway that drains leaves new calls to the one that came after it. */
  #claim(): void {
    this.#stages.pbx.claim().catch((error: unknown) => {
      const code = error instanceof ParleyError ? error.code : 'INTERNAL';
      this.#stages.logger.warn('new calls could not be claimed', { code });
    });
  }

  /** Back to the dialplan, which has a fallback. */
  #refuse(call: PbxCall, outcome: string): void {
    this.#journal.write({ type: 'call.declined', body: { pbxId: call.id, outcome } });
    this.#stages.pbx.leave(call.id, { PARLEY_OUTCOME: outcome }).catch((error: unknown) => {
      const code = error instanceof ParleyError ? error.code : 'INTERNAL';
      this.#stages.logger.warn('call could not be given back', { code, outcome });
    });
  }

  /**
   * After every (re)connect: what the PBX no longer has is lost. What only the PBX has goes on where the process before this one was, or
   * back to the dialplan. Orphaned media legs are swept by the driver.
   */
  #resync(calls: readonly PbxCall[]): void {
    const known = new Set(calls.map((call) => call.id));
    for (const [id, pipeline] of this.#calls) {
      if (!known.has(id)) void pipeline.end('pbx.lost', 'pbx.lost');
    }
    for (const call of calls) {
      if (this.#calls.has(call.id)) continue;
      const kept = this.#left.get(call.id);
      const dialogue = kept === undefined ? undefined : this.#stages.flow(kept.flow, call.id, kept.flowVersion);
      if (kept !== undefined && this.#stages.admit(call.from.number) === 'restricted') {
        // Somebody who objected meanwhile.
        this.#left.delete(call.id);
        void this.#closeLost(kept, 'restricted');
        this.#refuse(call, 'restricted');
      } else if (kept !== undefined && dialogue?.version === kept.flowVersion) {
        // A conversation goes on in the flow that it began in, or not at all.
        this.#left.delete(call.id);
        this.#open(call, dialogue, kept);
      } else this.#refuse(call, 'gateway-restarted');
    }
    for (const kept of this.#left.values()) void this.#closeLost(kept, known.has(kept.pbxId) ? 'flow-changed' : 'gateway-crash');
    this.#left.clear();
  }

  /** The end that the process before this one could not write. */
  async #closeLost({ callId, startedWallUs, turns, acts, recordings }: KeptCall, reason: string): Promise<void> {
    const { audit, clock, logger, openCalls } = this.#stages;
    const journal = new Journal(callId, { audit, clock, logger, live: this.#live });
    for (const act of acts) {
      journal.write({ type: 'tool.answered', body: { ...act, ok: false, reason: 'crash', mayHaveHappened: true, ms: 0 } });
    }
    const { recorder = null } = this.#stages;
    if (recorder !== null) await new BrokenRecordings({ recorder, journal, logger, changed: () => undefined }).adopt(recordings);
    const durationMs = Math.max(0, Math.round((clock.wallUs() - startedWallUs) / 1000));
    const body = { outcome: 'lost', reason, durationMs, turns, packetsReceived: 0, packetsSent: 0, dropped: 0 };
    journal.write({ type: 'call.ended', body });
    await journal.settled();
    openCalls?.drop(callId);
  }

  #forget(pipeline: CallPipeline): void {
    this.#calls.delete(pipeline.pbxId);
    this.#capacity.calls(this.#calls.size);
    if (this.#calls.size === 0) this.#idle?.();
  }

  /** No new calls; waits for the open ones, then gives what is left back to the dialplan. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#journal.before({ type: 'gateway.draining', body: { openCalls: this.#calls.size } }).catch(() => undefined);
    if (this.#calls.size > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#stages.timers.after(this.#options.drainMs, resolve);
        this.#idle = () => {
          cancel();
          resolve();
        };
      });
    }
    await Promise.all([...this.#calls.values()].map((call) => call.release('drained')));
  }
}
