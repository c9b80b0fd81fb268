/**
 * The dialogue's side of a call: its state, what it wants said and done, one batch after the other, and how a batch is taken back.
 * Thinks and speaks through ports; decides nothing.
 */
import type { Dialogue, DialogueEffect, DialogueEvent, Expectation, TurnEvent } from '../contracts/index.ts';
import type { Journal } from './journal.ts';
import type { Say, Stages } from './ports.ts';
import type { Speaker } from './speaker.ts';
import type { Ahead, Step } from './speculator.ts';

type Listen = Extract<DialogueEffect, { t: 'listen' }>;
type Reply = Omit<Extract<TurnEvent, { t: 'reply' }>, 't' | 'atMs'>;

export interface ConversationPorts {
  readonly dialogue: Dialogue<unknown>;
  readonly think: Stages['think'];
  readonly callId: string;
  readonly journal: Journal;
  readonly speaker: () => Speaker | null;
  readonly tellTurn: (event: { t: 'reply' } & Reply) => void;
  readonly agentEnded: (interrupted: boolean) => void;
  readonly replied: (step: Step) => void;
  /** Transfer or end. */
  readonly act: (effect: DialogueEffect) => Promise<void>;
  readonly failed: (error: unknown) => void;
  readonly clockMs: () => number;
}

/** What one event brought about. */
interface Batch {
  readonly before: unknown;
  readonly abort: AbortController;
  cancelled: boolean;
  /** Said whole, then it may be talked over: the expectation of what follows. */
  openFrom: { readonly say: Say; readonly reply: Reply } | null;
}

export class Conversation {
  readonly #ports: ConversationPorts;
  #state: unknown;
  /** The turn told last, while it can be taken back. */
  #current: Batch | null = null;
  #running: Batch | null = null;
  #acting: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(ports: ConversationPorts) {
    this.#ports = ports;
    this.#state = ports.dialogue.begin();
  }

  get state(): unknown {
    return this.#state;
  }

  /** A step on any state; changes nothing here. */
  readonly think = async (before: unknown, event: DialogueEvent, signal: AbortSignal): Promise<Step> => {
    const { dialogue, think, callId, clockMs } = this.#ports;
    const [after, effects] = dialogue.step(before, event);
    if (think === undefined) return { before, after, effects, thinkMs: null };
    const startMs = clockMs();
    const thought = await think(effects, { callId, signal });
    return { before, after, effects: thought, thinkMs: clockMs() - startMs };
  };

  /** Tells the dialogue, after all that is under way. `ahead`: the reply that was prepared for this event. */
  tell(event: DialogueEvent, ahead: Ahead | null = null): void {
    const batch: Batch = { before: this.#state, abort: ahead?.abort ?? new AbortController(), cancelled: false, openFrom: null };
    if (event.t === 'heard') this.#current = batch;
    this.#acting = this.#acting
      .then(() => this.#run(batch, event, ahead))
      .catch((error: unknown) => {
        if (!batch.cancelled) this.#ports.failed(error);
      });
  }

  /** The turn told last has never been: its reply is silenced, the state is as before it. */
  retract(): void {
    const batch = this.#current;
    if (batch === null) return;
    this.#current = null;
    batch.cancelled = true;
    this.#state = batch.before;
    batch.abort.abort(new Error('the caller was not done'));
    this.#ports.speaker()?.stop();
  }

  close(): void {
    this.#closed = true;
    this.#current?.abort.abort(new Error('the call has ended'));
  }

  /** A text begins to sound: from the first that may be talked over, the reply may be. */
  started(say: Say): void {
    const open = this.#running?.openFrom ?? null;
    if (open?.say === say) this.#ports.tellTurn({ t: 'reply', ...open.reply });
  }

  async #run(batch: Batch, event: DialogueEvent, ahead: Ahead | null): Promise<void> {
    if (batch.cancelled || this.#closed) return;
    const step = await this.#step(batch, event, ahead);
    if (this.#isOver(batch)) return;
    this.#state = step.after;
    this.#running = batch;
    this.#ports.replied(step);
    await this.#carryOut(batch, step.effects, step.before === batch.before ? ahead : null);
  }

  async #step(batch: Batch, event: DialogueEvent, ahead: Ahead | null): Promise<Step> {
    if (ahead !== null) {
      const step = await ahead.step.catch(() => null);
      if (step !== null && step.before === this.#state) return step;
      if (ahead.held !== null) this.#ports.speaker()?.drop(ahead.held);
    }
    return this.think(this.#state, event, batch.abort.signal);
  }

  /** First what is said, then what is done. */
  async #carryOut(batch: Batch, effects: readonly DialogueEffect[], ahead: Ahead | null): Promise<void> {
    const says: Say[] = [];
    const acts: DialogueEffect[] = [];
    let listen: Listen | null = null;
    for (const effect of effects) {
      if (effect.t === 'say') says.push(effect);
      else if (effect.t === 'listen') listen = effect;
      else if (effect.t === 'slot' || effect.t === 'step') this.#note(effect);
      else acts.push(effect);
    }
    if (says.length > 0 || listen !== null) await this.#say(batch, says, listen, { thenActs: acts.length > 0, ahead });
    // What is done at once cannot be taken back any more.
    else if (acts.length > 0) this.#ports.tellTurn({ t: 'reply', interruptible: false, expect: null, final: true });
    for (const act of acts) if (!this.#isOver(batch)) await this.#ports.act(act);
  }

  #note(effect: Extract<DialogueEffect, { t: 'slot' | 'step' }>): void {
    if (effect.t === 'step') {
      this.#ports.journal.write({ type: 'step.entered', body: { step: effect.step, reason: effect.reason } });
      return;
    }
    const { slot, corrected, value } = effect;
    this.#ports.journal.write({ type: 'slot.filled', body: { slot, corrected }, content: { value: value.value, spoken: value.spoken } });
  }

  async #say(batch: Batch, says: readonly Say[], listen: Listen | null, more: { thenActs: boolean; ahead: Ahead | null }): Promise<void> {
    const { speaker, tellTurn, agentEnded } = this.#ports;
    const expect: Expectation | null = listen?.expect ?? null;
    const patience = listen?.silenceMs === undefined ? {} : { silenceMs: listen.silenceMs };
    // What leads to a hang-up or a transfer is said whole: stopping it would not stop the act.
    const interruptible = !more.thenActs && says.every((say) => say.interruptible);
    tellTurn({ t: 'reply', interruptible, expect, ...patience });
    batch.openFrom = interruptible || more.thenActs ? null : openFrom(says, { interruptible: true, expect, ...patience });
    const prepared = (await more.ahead?.prepared.catch(() => null)) ?? null;
    const voice = speaker();
    if (this.#isOver(batch) || voice === null) return;
    const { interrupted, heard } = await voice.speak(says, prepared);
    if (this.#isOver(batch)) return;
    if (this.#current === batch) this.#current = null;
    agentEnded(interrupted);
    this.tell({ t: 'said', interrupted, heard });
  }

  // A function, so that the compiler does not narrow across an await.
  #isOver(batch: Batch): boolean {
    return batch.cancelled || this.#closed;
  }
}

/** The first text of the interruptible end of a reply. */
function openFrom(says: readonly Say[], reply: Reply): { say: Say; reply: Reply } | null {
  const lastFixed = says.findLastIndex((say) => !say.interruptible);
  const say = says[lastFixed + 1];
  return say === undefined ? null : { say, reply };
}
