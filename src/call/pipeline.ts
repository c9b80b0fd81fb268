/**
 * One call on one page: how the stages are joined. Read this file first.
 *
 *   pbx, media events ──────────> turn.decide ──> effects ──┬─ decode ──> Listener (stt) ──words──> turn
 *                                                           ├─ speculate, abandon ──> Speculator ──prepared──> turn
 *                                                           ├─ commit, retract ──> Conversation ──> say, transfer, end
 *                                                           └─ duck, pause, resume, stop ──> Speaker
 *   say ──> Speaker (tts, media clips) ──agent-start, agent-end──> turn, ──said──> Conversation
 *
 * Decisions are made by turn/ and dialogue/, which are pure; this file only carries them out and keeps the journal.
 */
import { randomUUID } from 'node:crypto';
import {
  type Dialogue,
  type DialogueEvent,
  type EngineAnswer,
  type EngineUse,
  type KeptCall,
  type Logger,
  type MediaEvent,
  type MediaSession,
  ParleyError,
  type PbxCall,
  type PbxEvent,
  type Recalled,
  type TurnEffect,
} from '../contracts/index.ts';
import { wordsIn } from '../turn/index.ts';
import type { Capacity } from './capacity.ts';
import { cleaningOf } from './cleaning.ts';
import { Conversation } from './conversation.ts';
import { Departure } from './departure.ts';
import { Errands } from './errands.ts';
import { hearing } from './hearing.ts';
import { Journal } from './journal.ts';
import { Keeper } from './keeper.ts';
import { MemoryDesk } from './memory-desk.ts';
import { OpenStages } from './open-stages.ts';
import { trafficOf } from './notes.ts';
import { apologise, nameProcessors } from './outside.ts';
import type { CallOptions, LiveListener, Stages } from './ports.ts';
import { createPrivacy, type Privacy } from './privacy.ts';
import { createTurnRecorder } from './recorder.ts';
import type { SpeakerHooks } from './speaker.ts';
import { TurnClock } from './turn-clock.ts';
import { type TurnAct, TurnDesk } from './turn-desk.ts';
import { voiceLog } from './voice-log.ts';

/** More of our audio than this, heard before the caller went on, is a hard cutoff. */
const HARD_CUTOFF_MS = 400;

export class CallPipeline {
  readonly id: string;
  readonly pbxId: string;
  readonly startedUs: number;
  readonly flow: string;
  readonly #stages: Stages;
  readonly #options: CallOptions;
  readonly #call: PbxCall;
  readonly #dialogue: Dialogue<unknown>;
  readonly #logger: Logger;
  readonly #journal: Journal;
  readonly #conversation: Conversation;
  readonly #errands: Errands;
  readonly #keeper: Keeper;
  readonly #memory: MemoryDesk;
  readonly #kept: KeptCall | null;
  readonly #clock: TurnClock;
  readonly #turn: TurnDesk;
  readonly #departure: Departure;
  readonly #privacy: Privacy;
  readonly #capacity: Capacity;
  readonly #onEnded: (pipeline: CallPipeline) => void;
  #turns: number;
  /** Who heard the words that were heard last. */
  #heardBy: EngineUse | undefined;
  #open: OpenStages | null = null;
  #media: MediaSession | null = null;
  #ended = false;

  constructor(options: {
    stages: Stages;
    options: CallOptions;
    call: PbxCall;
    dialogue: Dialogue<unknown>;
    live: LiveListener;
    /** What the process before this one kept of the call. */
    kept?: KeptCall;
    capacity: Capacity;
    onEnded: (pipeline: CallPipeline) => void;
  }) {
    const { stages, dialogue, kept } = options;
    const { audit, clock, logger } = stages;
    this.id = kept?.callId ?? randomUUID();
    this.pbxId = options.call.id;
    this.flow = dialogue.flow;
    this.#kept = kept ?? null;
    this.#turns = kept?.turns ?? 0;
    this.#stages = stages;
    this.#capacity = options.capacity;
    this.#options = options.options;
    this.#call = options.call;
    this.#dialogue = dialogue;
    this.#onEnded = options.onEnded;
    const startedWallUs = kept?.startedWallUs ?? clock.wallUs();
    this.startedUs = clock.monoUs() - Math.max(0, clock.wallUs() - startedWallUs);
    this.#logger = logger.child({ call: this.id });
    const live: LiveListener = (event) => {
      this.#memory.saw(event);
      options.live(event);
    };
    this.#journal = new Journal(this.id, { audit, clock, logger: this.#logger, live });
    this.#clock = new TurnClock(clock);
    this.#turn = this.#turnDesk();
    this.#privacy = createPrivacy({
      ...{ stages, options: options.options, call: options.call, callId: this.id, language: dialogue.language, journal: this.#journal },
      media: () => this.#media,
      tellTurn: (event) => this.#turn.now(event),
      tell: (event) => this.#conversation.tell(event),
      changed: () => this.#keeper.keep(),
    });
    this.#memory = new MemoryDesk({
      ...{ memory: stages.memory ?? null, callId: this.id, number: this.#call.from.number, flow: this.flow, timers: stages.timers },
      ...{ logger: this.#logger, journal: this.#journal, wordingVersion: dialogue.version },
      language: () => this.#conversation.language,
      atSample: () => this.#media?.stats().sample ?? 0,
    });
    this.#errands = this.#errandDesk();
    this.#conversation = this.#conversationDesk();
    if (this.#conversation.language !== dialogue.language) this.#understand(this.#conversation.language);
    this.#departure = this.#departureDesk();
    this.#keeper = new Keeper(
      { callId: this.id, pbxId: this.pbxId, flow: this.flow, flowVersion: dialogue.version, startedWallUs },
      {
        openCalls: stages.openCalls ?? null,
        nowWallUs: () => clock.wallUs(),
        turns: () => this.#turns,
        state: () => this.#conversation.state,
        acts: () => this.#errands.acts,
        recordings: () => this.#privacy.recording.kept,
      },
    );
  }

  // ---- who is connected to whom ----

  #turnDesk(): TurnDesk {
    const { timers, findSecrets, logger, clock } = this.#stages;
    const { language } = this.#dialogue;
    const turn = { ...this.#options.turn, words: wordsIn(language, this.#options.turn) };
    return new TurnDesk({
      ...{ turn, turns: this.#turns, timers },
      recorder: createTurnRecorder({
        ...{ records: this.#options.turnRecords, callId: this.id, language, turn, logger, findSecrets },
        isSecret: () => this.#privacy.secrets.isOpen,
      }),
      nowMs: () => this.#open?.ms(clock.monoUs()) ?? 0,
      carryOut: (effect) => this.#onTurnEffect(effect),
    });
  }

  #errandDesk(): Errands {
    const { args, from, to } = this.#call;
    return new Errands({
      port: this.#stages.errands ?? null,
      callId: this.id,
      context: { ...args, caller: from.number, called: to, call: this.id },
      journal: this.#journal,
      clockMs: () => this.#stages.clock.monoUs() / 1000,
      changed: () => this.#keeper.keep(),
    });
  }

  #conversationDesk(): Conversation {
    return new Conversation({
      ...{ dialogue: this.#dialogue, callId: this.id, think: this.#stages.think, errands: this.#errands, journal: this.#journal },
      state: this.#kept?.state ?? undefined,
      changed: () => this.#keeper.keep(),
      clockMs: () => this.#stages.clock.monoUs() / 1000,
      speaker: () => this.#open?.speaker ?? null,
      tellTurn: (event) => this.#turn.now(event),
      agentEnded: (interrupted) => this.#turn.now({ t: 'agent-end', interrupted }),
      replied: (step) => this.#clock.replied(step.thinkMs),
      act: async (act) => {
        if (!this.#ended) await this.#departure.carryOut(act);
      },
      consent: (effect) => (effect.t === 'remember' ? this.#memory.agreed(effect.value) : this.#privacy.recording.carryOut(effect)),
      expectSecret: (request) => this.#privacy.secrets.expect(request),
      failed: (error) => void this.#fail(error),
      understands: (language) => this.#understand(language),
    });
  }

  #departureDesk(): Departure {
    const { pbx, desk } = this.#stages;
    return new Departure({
      ...{ pbx, pbxId: this.pbxId, desk, flow: this.flow, journal: this.#journal },
      slots: () => this.#dialogue.slots(this.#conversation.state),
      transferFailed: (reason) => this.#conversation.tell({ t: 'transfer-failed', reason }),
      end: (outcome, reason) => this.end(outcome, reason),
    });
  }

  #openStages(session: MediaSession): OpenStages {
    const { language: began } = this.#dialogue;
    return new OpenStages(session, {
      ...{ stages: this.#stages, callId: this.id, began, fillers: this.#options.fillers, errands: this.#errands },
      language: () => this.#conversation.language,
      think: this.#conversation.think,
      voice: this.#voiceHooks(),
      words: hearing({
        ...{ journal: this.#journal, recording: this.#privacy.recording, clock: this.#clock, capacity: this.#capacity },
        turns: () => this.#turns,
        heardBy: (use) => (this.#heardBy = use),
        tellTurn: (event) => this.#turn.now(event),
      }),
      thrifty: () => this.#capacity.saves('recorded-prompts'),
      tellTurn: (event) => this.#turn.now(event),
    });
  }

  #voiceHooks(): SpeakerHooks {
    return voiceLog({
      journal: this.#journal,
      language: this.#dialogue.language,
      clock: this.#clock,
      ms: (atUs) => this.#open?.ms(atUs) ?? 0,
      tellTurn: (event) => this.#turn.tell(event),
      started: (say) => {
        if (say.kind !== 'notice') this.#keeper.informed();
        this.#open?.saying(say.text);
        this.#conversation.started(say);
      },
      isEnded: () => this.#ended,
      ended: (spoken) => this.#privacy.recording.spoken(spoken),
      waited: (ttsMs) => this.#capacity.waited('ttsFirstAudio', ttsMs),
    });
  }

  // ---- the beginning ----

  /** Takes the call, or takes it up again: answers, joins the audio, lets the flow speak. Never rejects: a failure ends the call. */
  async start(): Promise<void> {
    try {
      await this.#announce();
      const begins = this.#kept === null || this.#kept.state === null;
      const recalling = begins ? this.#memory.recall() : null;
      if (!this.#ended) await this.#join();
      const recalled = await recalling;
      if (this.#isEnded()) return;
      this.#conversation.tell(begins ? this.#beginning(recalled) : { t: 'recovered' });
    } catch (error) {
      await this.#fail(error);
    }
  }

  /** On disk before anything is done. */
  async #announce(): Promise<void> {
    const { pbxId, flow } = this;
    const content = { from: this.#call.from.number };
    const place = { pbxId, flow, flowVersion: this.#dialogue.version };
    this.#keeper.keep();
    if (this.#kept === null) {
      await this.#journal.before({ type: 'call.incoming', body: { ...place, to: this.#call.to }, content });
      return;
    }
    const { turns, acts, recordings } = this.#kept;
    const awayMs = Math.max(0, Math.round((this.#stages.clock.wallUs() - this.#kept.keptWallUs) / 1000));
    await this.#journal.before({ type: 'call.recovered', body: { ...place, turns, awayMs }, content });
    // Beside the call: the caller who hears nothing must not wait for files to be read.
    void this.#privacy.recording.adopt(recordings);
    for (const act of acts) {
      this.#journal.write({ type: 'tool.answered', body: { ...act, ok: false, reason: 'crash', mayHaveHappened: true, ms: 0 } });
    }
  }

  async #join(): Promise<void> {
    const { pbx, media, clock } = this.#stages;
    const { receive, send } = this.#options;
    await nameProcessors(this.#journal, this.#stages.outside ?? []);
    if (this.#isEnded()) return;
    if (this.#dialogue.beginning !== undefined) this.#errands.warm(this.#dialogue.beginning);
    const session = media.open({ callId: this.id, receive, send, cleaning: cleaningOf(this.#call.args) });
    this.#media = session;
    if (this.#call.state !== 'up') await pbx.answer(this.pbxId);
    const leg = await pbx.openMedia(this.pbxId, { receive, send, localHost: session.localHost, localPort: session.localPort });
    if (this.#isEnded()) return;
    this.#open = this.#openStages(session);
    session.onEvent((event) => this.#onMedia(event));
    session.setRemote(leg.remoteHost, leg.remotePort);
    if (this.#kept !== null) return;
    const setupMs = Math.round((clock.monoUs() - this.startedUs) / 1000);
    this.#journal.write({ type: 'call.answered', body: { setupMs, codecIn: leg.receive, codecOut: leg.send } });
  }

  /** Words and recogniser change; what we say names its language itself. */
  #understand(language: string): void {
    this.#turn.now({ t: 'language', language });
    this.#open?.understand(language);
  }

  #beginning(recalled: Recalled | null): DialogueEvent {
    const { to, from, args } = this.#call;
    const wallMs = Math.round(this.#stages.clock.wallUs() / 1000);
    const budget = this.#stages.budget?.() ?? null;
    return { t: 'start', variables: args, facts: { to, from: from.number, wallMs, ...recalled, ...(budget === null ? {} : { budget }) } };
  }

  // ---- events in ----

  onPbx(event: PbxEvent): void {
    if (event.t === 'ended') {
      const { outcome, reason } = this.#departure.why(event.reason);
      void this.end(outcome, reason);
    } else if (event.t === 'dtmf') this.#turn.now({ t: 'dtmf', digit: this.#privacy.secrets.key(event.digit) });
  }

  #onMedia(event: MediaEvent): void {
    if (this.#open === null) return;
    this.#privacy.recording.onMedia(event);
    this.#open.onMedia(event);
  }

  // ---- what the turn engine decided ----

  #onTurnEffect(effect: TurnAct): void {
    switch (effect.t) {
      case 'speculate':
        this.#speculate(effect);
        break;
      case 'commit':
        this.#commit(effect);
        break;
      case 'retract':
        this.#retract(effect);
        break;
      case 'commit-digits':
      case 'silence':
      case 'not-understood':
        this.#noWords(effect);
        break;
      case 'reason':
        this.#clock.because(effect);
        this.#stages.logger.debug('turn decision', { call: this.id, rule: effect.rule, ...effect.figures });
        break;
      default:
        this.#open?.carryOut(effect);
    }
  }

  #speculate({ attempt, text, confidence }: Extract<TurnEffect, { t: 'speculate' }>): void {
    // A secret is nothing to think about.
    if (this.#privacy.secrets.isOpen) return;
    if (this.#capacity.saves('no-speculation')) {
      this.#turn.now({ t: 'prepared', attempt, ready: false });
      return;
    }
    this.#clock.tried();
    this.#open?.speculator.begin(attempt, this.#conversation.state, { t: 'heard', text, confidence });
  }

  #commit(effect: Extract<TurnEffect, { t: 'commit' }>): void {
    const { turn, text, confidence, fromSample, toSample, waitMs, attempt } = effect;
    this.#turns = turn;
    this.#open?.decided();
    const ahead = this.#open?.speculator.take(attempt) ?? null;
    this.#clock.committed(turn, waitMs, ahead === null ? null : ahead.held !== null);
    this.#privacy.recording.committed(text);
    if (this.#privacy.secrets.said(text)) return;
    const words = text.split(/\s+/).filter((word) => word !== '').length;
    this.#journal.write({
      type: 'caller.said',
      body: {
        ...{ turn, words, confidence: Math.round(confidence * 1000) / 1000, fromSample, toSample, waitMs: Math.round(waitMs) },
        ...(this.#heardBy === undefined ? {} : { engines: [this.#heardBy] }),
      },
      content: { text },
    });
    this.#conversation.tell({ t: 'heard', text, confidence }, ahead);
  }

  #retract({ turn, heardMs }: Extract<TurnEffect, { t: 'retract' }>): void {
    this.#turns = turn - 1;
    this.#clock.clear();
    const cutoff = heardMs === 0 ? 'none' : heardMs <= HARD_CUTOFF_MS ? 'soft' : 'hard';
    this.#journal.write({ type: 'turn.retracted', body: { turn, heardMs, cutoff } });
    this.#conversation.retract();
  }

  /** A turn without words: keys, silence, or nothing that could be understood. */
  #noWords(effect: Extract<TurnEffect, { t: 'commit-digits' | 'silence' | 'not-understood' }>): void {
    this.#clock.clear();
    this.#open?.speculator.abandon();
    if (effect.t === 'silence') {
      this.#journal.write({ type: 'caller.silent', body: { silentMs: effect.silentMs } });
      this.#conversation.tell({ t: 'silence' });
      return;
    }
    this.#turns = effect.turn;
    if (effect.t === 'not-understood') {
      this.#conversation.tell({ t: 'not-understood' });
      return;
    }
    if (this.#privacy.secrets.keyed()) return;
    const { turn, digits } = effect;
    this.#journal.write({ type: 'caller.keyed', body: { turn, digits: digits.length }, content: { digits } });
    this.#conversation.tell({ t: 'digits', digits });
  }

  // ---- the end ----

  async #fail(error: unknown): Promise<void> {
    if (this.#ended) return;
    const code = error instanceof ParleyError ? error.code : 'INTERNAL';
    if (code === 'PBX_NO_SUCH_CALL') {
      await this.end('caller-hangup', 'gone');
      return;
    }
    this.#logger.error('call failed', { code, reason: error instanceof Error ? error.message : String(error) });
    if (code === 'TTS_FAILED' || code.startsWith('ENGINE_'))
      this.#journal.write({ type: 'turn.failed', body: { turn: this.#turns, engine: 'tts', code } });
    const { language } = this.#conversation;
    const sorry = this.#options.apologies?.[language];
    if (this.#open !== null && sorry !== undefined) await apologise(this.#open.speaker, { text: sorry, language }, this.#stages.timers);
    await this.#departure.giveBack('failed', code, code);
  }

  /** A language model worked for this call. */
  answered({ outcome, use }: EngineAnswer): void {
    if (use !== null && !this.#ended) this.#journal.write({ type: 'engine.used', body: { kind: 'llm', outcome, use } });
  }

  /** Gives the caller back to the dialplan, as at a drain that took too long. */
  async release(outcome: string): Promise<void> {
    if (!this.#ended) await this.#departure.giveBack(outcome, 'released');
  }

  /** Frees everything, exactly once, in any state. Resolves when the end of the call is on disk. */
  async end(outcome: string, reason: string): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#turn.close();
    // Whoever still holds clips or reads audio lets go before the media session is gone.
    this.#conversation.close();
    await this.#open?.hush();
    this.#open?.close();
    this.#privacy.secrets.end();
    const recorded = this.#privacy.recording.end(reason);
    // What was said last is taken over before it is gone.
    if (recorded !== null) await recorded;
    const { state } = this.#conversation;
    const remembering = this.#memory.keep({
      ...{ outcome, turns: this.#turns, slots: this.#dialogue.slots(state) },
      values: this.#dialogue.remembered?.(state) ?? {},
    });
    const traffic = trafficOf(this.#media);
    this.#media?.close();
    this.#open = null;
    const durationMs = Math.round((this.#stages.clock.monoUs() - this.startedUs) / 1000);
    const body = { outcome, reason, durationMs, turns: this.#turns, ...traffic };
    this.#journal.write({ type: 'call.ended', body });
    this.#turn.settle();
    this.#onEnded(this);
    await this.#journal.settled();
    // At once: a crash from here on must not find a call that has its end.
    this.#keeper.drop();
    await remembering;
  }

  #isEnded(): boolean {
    return this.#ended;
  }
}
