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
  type GateEvent,
  type MediaEvent,
  type MediaSession,
  ParleyError,
  type PbxCall,
  type PbxEvent,
  type Recalled,
  type SttSession,
  type TurnEffect,
} from '../contracts/index.ts';
import { wordsIn } from '../turn/index.ts';
import type { Capacity } from './capacity.ts';
import { cleaningOf } from './cleaning.ts';
import { Conversation } from './conversation.ts';
import { Departure } from './departure.ts';
import { Errands } from './errands.ts';
import { Doubt } from './doubt.ts';
import { Ear } from './ear.ts';
import { Bridge } from './filler.ts';
import { Journal } from './journal.ts';
import { Keeper } from './keeper.ts';
import { Listener } from './listener.ts';
import { MemoryDesk } from './memory-desk.ts';
import { apologise, nameProcessors } from './outside.ts';
import type { CallOptions, LiveListener, Stages } from './ports.ts';
import { createPrivacy, type Privacy } from './privacy.ts';
import { createTurnRecorder } from './recorder.ts';
import { Speaker, type SpeakerHooks } from './speaker.ts';
import { Speculator } from './speculator.ts';
import { Timeline } from './timeline.ts';
import { TurnClock } from './turn-clock.ts';
import { type TurnAct, TurnDesk } from './turn-desk.ts';
import { carryOutVoice } from './voice-acts.ts';
import { voiceLog } from './voice-log.ts';

/** Everything that exists only while the call is open. */
interface Open {
  readonly media: MediaSession;
  readonly speaker: Speaker;
  readonly listener: Listener;
  readonly ear: Ear;
  readonly speculator: Speculator;
  readonly doubt: Doubt | null;
  readonly bridge: Bridge;
  readonly timeline: Timeline;
}

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
  #open: Open | null = null;
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
    this.id = kept?.callId ?? randomUUID();
    this.#kept = kept ?? null;
    this.#turns = kept?.turns ?? 0;
    const { audit, clock, logger } = stages;
    this.#stages = stages;
    this.#capacity = options.capacity;
    this.#options = options.options;
    this.#call = options.call;
    this.pbxId = options.call.id;
    this.#dialogue = dialogue;
    this.flow = dialogue.flow;
    const startedWallUs = kept?.startedWallUs ?? clock.wallUs();
    this.startedUs = clock.monoUs() - Math.max(0, clock.wallUs() - startedWallUs);
    this.#onEnded = options.onEnded;
    this.#journal = new Journal(this.id, { audit, clock, logger: logger.child({ call: this.id }), live: options.live });
    this.#clock = new TurnClock(clock);
    const { language } = dialogue;
    const turn = { ...options.options.turn, words: wordsIn(language, options.options.turn) };
    const records = options.options.turnRecords;
    this.#turn = new TurnDesk({
      turn,
      turns: this.#turns,
      recorder:
        records === undefined
          ? null
          : createTurnRecorder({
              ...records,
              callId: this.id,
              language,
              turn,
              logger,
              findSecrets: stages.findSecrets,
              isSecret: () => this.#privacy.secrets.isOpen,
            }),
      timers: stages.timers,
      nowMs: () => this.#nowMs(),
      carryOut: (effect) => this.#onTurnEffect(effect),
    });
    this.#privacy = createPrivacy({
      ...{ stages, options: options.options, call: options.call, callId: this.id, language, journal: this.#journal },
      media: () => this.#media,
      tellTurn: (event) => this.#turn.tell(event),
      nowMs: () => this.#nowMs(),
      tell: (event) => this.#conversation.tell(event),
    });
    const { args, from, to } = options.call;
    this.#memory = new MemoryDesk({
      ...{ memory: stages.memory ?? null, callId: this.id, number: from.number, flow: dialogue.flow, timers: stages.timers },
      logger: logger.child({ call: this.id }),
    });
    this.#errands = new Errands({
      port: stages.errands ?? null,
      callId: this.id,
      context: { ...args, caller: from.number, called: to, call: this.id },
      journal: this.#journal,
      clockMs: () => clock.monoUs() / 1000,
      changed: () => this.#keeper.keep(),
    });
    this.#conversation = new Conversation({
      dialogue,
      callId: this.id,
      think: stages.think,
      errands: this.#errands,
      state: kept?.state ?? undefined,
      changed: () => this.#keeper.keep(),
      journal: this.#journal,
      clockMs: () => clock.monoUs() / 1000,
      speaker: () => this.#open?.speaker ?? null,
      tellTurn: (event) => this.#turn.tell({ ...event, atMs: this.#nowMs() }),
      agentEnded: (interrupted) => this.#turn.tell({ t: 'agent-end', atMs: this.#nowMs(), interrupted }),
      replied: (step) => this.#clock.replied(step.thinkMs),
      act: async (act) => {
        if (!this.#ended) await this.#departure.carryOut(act);
      },
      consent: (effect) => this.#privacy.recording.carryOut(effect),
      expectSecret: (request) => this.#privacy.secrets.expect(request),
      failed: (error) => void this.#fail(error),
      understands: (language) => this.#understand(language),
    });
    if (this.#conversation.language !== dialogue.language) this.#understand(this.#conversation.language);
    this.#departure = new Departure({
      pbx: stages.pbx,
      pbxId: this.pbxId,
      desk: stages.desk,
      flow: dialogue.flow,
      journal: this.#journal,
      slots: () => dialogue.slots(this.#conversation.state),
      transferFailed: (reason) => this.#conversation.tell({ t: 'transfer-failed', reason }),
      end: (outcome, reason) => this.end(outcome, reason),
    });
    this.#keeper = new Keeper(
      { callId: this.id, pbxId: this.pbxId, flow: this.flow, flowVersion: dialogue.version, startedWallUs },
      {
        openCalls: stages.openCalls ?? null,
        nowWallUs: () => clock.wallUs(),
        turns: () => this.#turns,
        state: () => this.#conversation.state,
        acts: () => this.#errands.acts,
      },
    );
  }

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
    const { turns, acts } = this.#kept;
    const awayMs = Math.max(0, Math.round((this.#stages.clock.wallUs() - this.#kept.keptWallUs) / 1000));
    await this.#journal.before({ type: 'call.recovered', body: { ...place, turns, awayMs }, content });
    for (const act of acts) {
      this.#journal.write({ type: 'tool.answered', body: { ...act, ok: false, reason: 'crash', mayHaveHappened: true, ms: 0 } });
    }
  }

  async #join(): Promise<void> {
    const { pbx, media, clock } = this.#stages;
    const { receive, send } = this.#options;
    await nameProcessors(this.#journal, this.#stages.outside ?? []);
    if (this.#isEnded()) return;
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

  #openStages(session: MediaSession): Open {
    const { tts, timers, clock } = this.#stages;
    const { language } = this.#dialogue;
    const logger = this.#stages.logger.child({ call: this.id });
    const speaker = new Speaker({
      ...{ media: session, tts, language, hooks: this.#voiceHooks() },
      clockMs: () => clock.monoUs() / 1000,
      thrifty: () => this.#capacity.saves('recorded-prompts'),
    });
    const listener = new Listener({
      stt: this.#recogniser(session, this.#conversation.language),
      logger,
      hooks: {
        words: (asked, result) => {
          const { decode } = asked;
          const { text, confidence, queueMs, decodeMs, use } = result;
          this.#privacy.recording.heard(asked, result);
          this.#clock.decoded(queueMs, decodeMs);
          this.#heardBy = use;
          if (asked.kind === 'final') this.#capacity.waited('sttQueue', queueMs);
          this.#turn.tell({ t: 'words', atMs: this.#nowMs(), decode, text, confidence, queueMs });
        },
        failed: (asked, error) => {
          const { decode, kind } = asked;
          if (kind === 'final') this.#privacy.recording.notHeard(asked);
          const code = error instanceof ParleyError ? error.code : 'STT_FAILED';
          if (kind === 'final') this.#journal.write({ type: 'turn.failed', body: { turn: this.#turns, engine: 'stt', code } });
          this.#turn.tell({ t: 'decode-failed', atMs: this.#nowMs(), decode });
        },
      },
    });
    const speculator = new Speculator({
      speaker,
      think: this.#conversation.think,
      errands: this.#errands,
      onPrepared: (attempt, ready) => this.#turn.tell({ t: 'prepared', atMs: this.#nowMs(), attempt, ready }),
    });
    const onProbability = (probability: number): void => this.#turn.tell({ t: 'detector', atMs: this.#nowMs(), probability });
    const { detector } = this.#stages;
    const doubt = detector === undefined ? null : new Doubt({ detector, session, timers, onProbability });
    const bridge = new Bridge(speaker, this.#options.fillers ?? {}, () => this.#conversation.language);
    const vad = this.#stages.vad?.open({ callId: this.id, slot: session.slot, generation: session.generation }) ?? null;
    const ear = new Ear({ vad, timers, onVoice: (event) => this.#onVoice(event) });
    return { media: session, speaker, listener, ear, speculator, doubt, bridge, timeline: new Timeline(clock.monoUs()) };
  }

  #recogniser({ slot, generation }: MediaSession, language: string): SttSession {
    return this.#stages.stt.open({ callId: this.id, slot, generation, language });
  }

  /** Words and recogniser change; what we say names its language itself. */
  #understand(language: string): void {
    this.#turn.tell({ t: 'language', atMs: this.#nowMs(), language });
    if (this.#open !== null) this.#open.listener.change(this.#recogniser(this.#open.media, language));
  }

  #beginning(recalled: Recalled | null): DialogueEvent {
    const { to, from, args } = this.#call;
    const wallMs = Math.round(this.#stages.clock.wallUs() / 1000);
    return { t: 'start', variables: args, facts: { to, from: from.number, wallMs, ...recalled } };
  }

  #voiceHooks(): SpeakerHooks {
    return voiceLog({
      journal: this.#journal,
      language: this.#dialogue.language,
      clock: this.#clock,
      ms: (atUs) => this.#open?.timeline.ms(atUs) ?? 0,
      tellTurn: (event) => this.#turn.tell(event),
      started: (say) => {
        this.#open?.listener.said(say.text);
        this.#conversation.started(say);
      },
      isEnded: () => this.#ended,
      ended: (spoken) => this.#privacy.recording.spoken(spoken),
      waited: (ttsMs) => this.#capacity.waited('ttsFirstAudio', ttsMs),
    });
  }

  // ---- events in ----

  onPbx(event: PbxEvent): void {
    if (event.t === 'ended') {
      const { outcome, reason } = this.#departure.why(event.reason);
      void this.end(outcome, reason);
    } else if (event.t === 'dtmf') this.#turn.tell({ t: 'dtmf', atMs: this.#nowMs(), digit: this.#privacy.secrets.key(event.digit) });
  }

  #onMedia(event: MediaEvent): void {
    const open = this.#open;
    if (open === null) return;
    this.#privacy.recording.onMedia(event);
    open.speaker.onMedia(event);
    if (event.t === 'rtp-start') open.timeline.anchor(open.media.stats().sample, this.#stages.clock.monoUs());
    if (event.t === 'speech-hint') this.#turn.tell({ t: 'speech-hint', sample: event.sample, atMs: this.#nowMs() });
    // Keys come from the PBX, which hears RFC 4733 and SIP INFO alike; taking both would count them twice.
    open.ear.onMedia(event);
  }

  #onVoice(event: GateEvent): void {
    const open = this.#open;
    if (open === null) return;
    open.timeline.follow(open.media.stats().sample, this.#stages.clock.monoUs());
    if (event.t === 'speech-end') open.doubt?.begin();
    else open.doubt?.end();
    const sounded = event.t === 'speech-end' && event.prosody !== undefined ? { prosody: event.prosody } : {};
    this.#turn.tell({ t: event.t, sample: event.sample, atMs: this.#nowMs(), ...sounded });
  }

  // ---- what the turn engine decided ----

  #onTurnEffect(effect: TurnAct): void {
    switch (effect.t) {
      case 'decode':
        this.#open?.listener.decode(effect);
        break;
      case 'abort-decode':
        this.#open?.listener.abort(effect.decode);
        break;
      case 'speculate':
        this.#speculate(effect);
        break;
      case 'abandon':
        this.#open?.speculator.abandon();
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
        carryOutVoice(effect, this.#open?.speaker, this.#open?.bridge);
    }
  }

  #speculate({ attempt, text, confidence }: Extract<TurnEffect, { t: 'speculate' }>): void {
    // A secret is nothing to think about.
    if (this.#privacy.secrets.isOpen) return;
    if (this.#capacity.saves('no-speculation')) {
      this.#turn.tell({ t: 'prepared', atMs: this.#nowMs(), attempt, ready: false });
      return;
    }
    this.#clock.tried();
    this.#open?.speculator.begin(attempt, this.#conversation.state, { t: 'heard', text, confidence });
  }

  #commit(effect: Extract<TurnEffect, { t: 'commit' }>): void {
    const { turn, text, confidence, fromSample, toSample, waitMs, attempt } = effect;
    this.#turns = turn;
    this.#open?.doubt?.end();
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
    this.#stages.logger.error('call failed', { call: this.id, code, reason: error instanceof Error ? error.message : String(error) });
    if (code === 'TTS_FAILED' || code.startsWith('ENGINE_'))
      this.#journal.write({ type: 'turn.failed', body: { turn: this.#turns, engine: 'tts', code } });
    const sorry = this.#options.apologies?.[this.#dialogue.language];
    if (this.#open !== null && sorry !== undefined) await apologise(this.#open.speaker, sorry, this.#stages.timers);
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
    this.#open?.doubt?.end();
    this.#open?.speaker.close();
    this.#open?.speculator.abandon();
    this.#open?.ear.close();
    this.#open?.listener.close();
    this.#privacy.secrets.end();
    const recorded = this.#privacy.recording.end(reason);
    // What was said last is taken over before it is gone.
    if (recorded !== null) await recorded;
    const { state } = this.#conversation;
    const remembering = this.#memory.keep({
      ...{ outcome, turns: this.#turns, slots: this.#dialogue.slots(state) },
      values: this.#dialogue.remembered?.(state) ?? {},
    });
    const stats = this.#media?.stats();
    this.#media?.close();
    this.#open = null;
    const body = {
      outcome,
      reason,
      durationMs: Math.round((this.#stages.clock.monoUs() - this.startedUs) / 1000),
      turns: this.#turns,
      packetsReceived: stats?.packetsReceived ?? 0,
      packetsSent: stats?.packetsSent ?? 0,
      dropped: Object.values(stats?.dropped ?? {}).reduce((sum, count) => sum + count, 0),
    };
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

  #nowMs(): number {
    return this.#open?.timeline.ms(this.#stages.clock.monoUs()) ?? 0;
  }
}
