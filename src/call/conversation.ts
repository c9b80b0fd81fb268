/**
 * The dialogue's side of a call: its state, what it wants said and done, one batch after the other, and how an exchange is taken back.
 * Thinks, speaks and asks through ports; decides nothing.
 */
import {
  type Dialogue,
  type DialogueEffect,
  type DialogueEvent,
  type Errand,
  type Expectation,
  REMEMBER_ME,
  type SecretRequest,
  type TurnEvent,
} from '../contracts/index.ts';
import { type Errands, hasEffect } from './errands.ts';
import type { Journal } from './journal.ts';
import { noteEffect } from './notes.ts';
import type { Say, Stages } from './ports.ts';
import type { Prepared, Speaker } from './speaker.ts';
import type { Ahead, Step } from './speculator.ts';

type Listen = Extract<DialogueEffect, { t: 'listen' }>;
type Act = Extract<DialogueEffect, { t: 'transfer' | 'end' }>;
type Consent = Extract<DialogueEffect, { t: 'consent' | 'record' | 'remember' }>;
type Reply = Omit<Extract<TurnEvent, { t: 'reply' }>, 't' | 'atMs'>;

export interface ConversationPorts {
  readonly dialogue: Dialogue<unknown>;
  readonly think: Stages['think'];
  readonly errands: Errands;
  readonly callId: string;
  /** The state to go on from; the beginning when left out. */
  readonly state?: unknown;
  /** The state is another one now. */
  readonly changed: () => void;
  readonly journal: Journal;
  readonly speaker: () => Speaker | null;
  readonly tellTurn: (event: { t: 'final' | 'working' } | ({ t: 'reply' } & Reply)) => void;
  readonly agentEnded: (interrupted: boolean) => void;
  readonly replied: (step: Step) => void;
  /** Transfer or end. */
  readonly act: (effect: Act) => Promise<void>;
  /** What the caller said to being recorded or remembered, and what follows from it: done before anything is said. */
  readonly consent: (effect: Consent) => Promise<void>;
  /** The dialogue listens for a secret, or for anything else. */
  readonly expectSecret: (request: SecretRequest | null) => void;
  readonly failed: (error: unknown) => void;
  readonly clockMs: () => number;
  /** The caller is understood in this language from here on. */
  readonly understands: (language: string) => void;
}

/** What the caller said and all that follows from it, late answers of tools included: it is taken back as one. */
interface Exchange {
  readonly before: unknown;
  readonly abort: AbortController;
  readonly ahead: Ahead | null;
  cancelled: boolean;
}

/** What one event brought about. */
interface Batch {
  readonly event: DialogueEvent;
  readonly exchange: Exchange;
  /** Said whole, then it may be talked over: the expectation of what follows. */
  openFrom: { readonly say: Say; readonly reply: Reply } | null;
}

/** Effects by what becomes of them. */
interface Sorted {
  readonly says: Say[];
  readonly acts: Act[];
  readonly errands: Errand[];
  readonly consents: Consent[];
  listen: Listen | null;
}

export class Conversation {
  readonly #ports: ConversationPorts;
  readonly #beganMs: number;
  #state: unknown;
  /** The exchange told last, while it can be taken back. */
  #current: Exchange | null = null;
  #running: Batch | null = null;
  #acting: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(ports: ConversationPorts) {
    this.#ports = ports;
    this.#beganMs = ports.clockMs();
    this.#state = ports.state ?? ports.dialogue.begin();
  }

  get state(): unknown {
    return this.#state;
  }

  get language(): string {
    const { dialogue } = this.#ports;
    return dialogue.languageOf?.(this.#state) ?? dialogue.language;
  }

  /** A state with another language changes it: by a step, or by taking one back. */
  #become(state: unknown): void {
    const before = this.language;
    this.#state = state;
    if (this.language !== before) this.#ports.understands(this.language);
  }

  /** A step on any state; changes nothing here. */
  readonly think = async (before: unknown, event: DialogueEvent, signal: AbortSignal): Promise<Step> => {
    const { dialogue, think, callId, clockMs } = this.#ports;
    const [after, effects] = dialogue.step(before, { ...event, atMs: Math.round(clockMs() - this.#beganMs) });
    if (think === undefined) return { before, after, effects, thinkMs: null };
    const startMs = clockMs();
    const thought = await think(effects, { callId, signal });
    return { before, after, effects: thought, thinkMs: clockMs() - startMs };
  };

  /** Tells the dialogue, after all that is under way. `ahead`: the reply that was prepared for this event. */
  tell(event: DialogueEvent, ahead: Ahead | null = null): void {
    const exchange: Exchange = { before: this.#state, abort: ahead?.abort ?? new AbortController(), ahead, cancelled: false };
    if (event.t === 'heard') this.#current = exchange;
    this.#queue({ event, exchange, openFrom: null });
  }

  #queue(batch: Batch): void {
    this.#acting = this.#acting
      .then(() => this.#run(batch))
      .catch((error: unknown) => {
        if (!batch.exchange.cancelled) this.#ports.failed(error);
      });
  }

  /** The turn told last has never been: its reply is silenced, the state is as before it. */
  retract(): void {
    const exchange = this.#current;
    if (exchange === null) return;
    this.#current = null;
    exchange.cancelled = true;
    this.#become(exchange.before);
    this.#ports.changed();
    exchange.abort.abort(new Error('the caller was not done'));
    this.#ports.speaker()?.stop();
  }

  close(): void {
    this.#closed = true;
    this.#current?.abort.abort(new Error('the call has ended'));
    this.#ports.errands.close();
  }

  /** A text begins to sound: from the first that may be talked over, the reply may be. */
  started(say: Say): void {
    const open = this.#running?.openFrom ?? null;
    if (open?.say === say) this.#ports.tellTurn({ t: 'reply', ...open.reply });
  }

  async #run(batch: Batch): Promise<void> {
    if (this.#isOver(batch)) return;
    const step = await this.#step(batch);
    if (this.#isOver(batch)) return;
    this.#become(step.after);
    this.#ports.changed();
    this.#running = batch;
    if (isReply(step.effects)) this.#ports.replied(step);
    await this.#carryOut(batch, step.effects);
  }

  async #step({ event, exchange }: Batch): Promise<Step> {
    const { ahead } = exchange;
    if (ahead !== null && event.t === 'heard') {
      const step = await ahead.step.catch(() => null);
      if (step !== null && step.before === this.#state) return step;
    }
    return this.think(this.#state, event, exchange.abort.signal);
  }

  /** What is asked of the outside begins at once; then what is said, then what is done. */
  async #carryOut(batch: Batch, effects: readonly DialogueEffect[]): Promise<void> {
    const { says, acts, errands, consents, listen } = this.#sorted(effects);
    if (consents.length > 0) await this.#consent(batch, consents);
    if (listen !== null || acts.length > 0) this.#ports.expectSecret(listen?.secret ?? null);
    this.#begin(batch, errands);
    if (says.length > 0 || listen !== null) await this.#say(batch, says, listen, acts.length > 0);
    else if (errands.length === 0) await this.#prepared(batch, undefined);
    // What is done at once cannot be taken back any more.
    if (says.length === 0 && listen === null && acts.length > 0)
      this.#ports.tellTurn({ t: 'reply', interruptible: false, expect: null, final: true });
    for (const act of acts) if (!this.#isOver(batch)) await this.#ports.act(act);
  }

  #sorted(effects: readonly DialogueEffect[]): Sorted {
    const sorted: Sorted = { says: [], acts: [], errands: [], consents: [], listen: null };
    for (const effect of effects) {
      switch (effect.t) {
        case 'say':
          sorted.says.push(effect);
          break;
        case 'listen':
          sorted.listen = effect;
          break;
        case 'transfer':
        case 'end':
          sorted.acts.push(effect);
          break;
        case 'consent':
        case 'record':
          sorted.consents.push(effect);
          break;
        case 'remember':
          if (effect.name === REMEMBER_ME) sorted.consents.push(effect);
          break;
        case 'tool':
        case 'approval':
        case 'think':
          sorted.errands.push(effect);
          break;
        default:
          noteEffect(this.#ports.journal, effect);
      }
    }
    return sorted;
  }

  /** What was said to being recorded or remembered stands, whatever the caller says next. */
  async #consent({ exchange }: Batch, effects: readonly Consent[]): Promise<void> {
    this.#makeFinal(exchange);
    for (const effect of effects) await this.#ports.consent(effect);
  }

  #makeFinal(exchange: Exchange): void {
    if (this.#current === exchange) this.#current = null;
    this.#ports.tellTurn({ t: 'final' });
  }

  #begin({ exchange }: Batch, errands: readonly Errand[]): void {
    if (errands.some(hasEffect)) this.#makeFinal(exchange);
    if (errands.some(({ t }) => t !== 'think')) this.#ports.tellTurn({ t: 'working' });
    for (const errand of errands) {
      const ahead = errand.t === 'think' ? (exchange.ahead?.thoughts.get(errand.id) ?? null) : null;
      const tell = (event: DialogueEvent): void => this.#queue({ event, exchange, openFrom: null });
      this.#ports.errands.begin(errand, exchange.abort.signal, tell, ahead);
    }
  }

  async #say(batch: Batch, says: readonly Say[], listen: Listen | null, thenActs: boolean): Promise<void> {
    const { speaker, tellTurn, agentEnded } = this.#ports;
    const expect: Expectation | null = listen?.expect ?? null;
    const patience = listen?.silenceMs === undefined ? {} : { silenceMs: listen.silenceMs };
    // What leads to a hang-up or a transfer is said whole: stopping it would not stop the act.
    const interruptible = !thenActs && says.every((say) => say.interruptible);
    tellTurn({ t: 'reply', interruptible, expect, ...patience });
    // What bridges a slow tool is no answer: it works on.
    if (batch.event.t === 'errand-slow') tellTurn({ t: 'working' });
    const prepared = await this.#prepared(batch, says[0]);
    const voice = speaker();
    if (this.#isOver(batch) || voice === null) return;
    const texts = prepared === null ? says : [prepared.say, ...says.slice(1)];
    batch.openFrom = interruptible || thenActs ? null : openFrom(texts, { interruptible: true, expect, ...patience });
    const { interrupted, heard } = await voice.speak(texts, prepared);
    if (this.#isOver(batch)) return;
    if (this.#current === batch.exchange) this.#current = null;
    agentEnded(interrupted);
    this.tell({ t: 'said', interrupted, heard });
  }

  /** What is held for the first of these texts. Anything else that is held would stand in its way. */
  async #prepared({ event, exchange }: Batch, say: Say | undefined): Promise<Prepared | null> {
    const { ahead } = exchange;
    if (ahead === null) return null;
    // A wait phrase does not wait for the reply that it bridges.
    const prepared = event.t === 'errand-slow' ? ahead.held : await ahead.prepared.catch(() => null);
    const voice = this.#ports.speaker();
    if (prepared === null || voice === null || !voice.holds(prepared)) return null;
    if (say !== undefined && isSame(prepared.say, say)) return prepared;
    voice.drop(prepared);
    return null;
  }

  // A function, so that the compiler does not narrow across an await.
  #isOver({ exchange }: Batch): boolean {
    return exchange.cancelled || this.#closed;
  }
}

/** A step that only asks the outside is no reply yet. */
function isReply(effects: readonly DialogueEffect[]): boolean {
  return effects.some(({ t }) => t === 'say') || !effects.some(({ t }) => t === 'tool' || t === 'approval' || t === 'think');
}

function isSame(one: Say, other: Say): boolean {
  return one.text === other.text && one.prompt === other.prompt && one.kind === other.kind;
}

/** The first text of the interruptible end of a reply. */
function openFrom(says: readonly Say[], reply: Reply): { say: Say; reply: Reply } | null {
  const lastFixed = says.findLastIndex((say) => !say.interruptible);
  const say = says[lastFixed + 1];
  return say === undefined ? null : { say, reply };
}
