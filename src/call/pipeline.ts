/**
 * One call on one page: how the stages are joined. Read this file first.
 *
 *   pbx, media events ──> turn.decide ──> effects ──┬─ decode ──> Listener (stt) ──words──> turn
 *                                                   ├─ commit ──> dialogue.step ──> say, listen, transfer, end
 *                                                   └─ stop-speaking ──> Speaker
 *   say ──> Speaker (tts, media clips) ──agent-start, agent-end──> turn, ──said──> dialogue
 *
 * Decisions are made by turn/ and dialogue/, which are pure; this file only carries them out and keeps the journal.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  type Dialogue,
  type DialogueEffect,
  type DialogueEvent,
  type MediaEvent,
  type MediaSession,
  ParleyError,
  type PbxCall,
  type PbxEvent,
  type TurnEffect,
  type TurnEvent,
} from '../contracts/index.ts';
import { decide, initialTurn, type TurnState } from '../turn/index.ts';
import { Journal } from './journal.ts';
import { Listener } from './listener.ts';
import type { CallOptions, LiveListener, Stages } from './ports.ts';
import { type Say, Speaker, type Spoken } from './speaker.ts';
import { Timeline } from './timeline.ts';
import { type TurnMarks, waterfall } from './waterfall.ts';

/** Everything that exists only while the call is open. */
interface Open {
  readonly media: MediaSession;
  readonly speaker: Speaker;
  readonly listener: Listener;
  readonly timeline: Timeline;
}

export class CallPipeline {
  readonly id = randomUUID();
  readonly pbxId: string;
  readonly startedUs: number;
  readonly flow: string;
  readonly #stages: Stages;
  readonly #options: CallOptions;
  readonly #call: PbxCall;
  readonly #dialogue: Dialogue<unknown>;
  readonly #journal: Journal;
  readonly #onEnded: (pipeline: CallPipeline) => void;
  #dialogueState: unknown;
  #turn: TurnState;
  #turns = 0;
  #open: Open | null = null;
  #media: MediaSession | null = null;
  #ended = false;
  /** How the call ends when its channel leaves: the PBX's `ended` may come before its answer to our command. */
  #parting = { outcome: 'caller-hangup', reason: '' };
  #wake: (() => void) | null = null;
  #marks: TurnMarks | null = null;
  #lastDecode: { queueMs: number; decodeMs: number } | null = null;
  /** Batches of dialogue effects, one after the other. */
  #acting: Promise<void> = Promise.resolve();

  constructor(options: {
    stages: Stages;
    options: CallOptions;
    call: PbxCall;
    dialogue: Dialogue<unknown>;
    live: LiveListener;
    onEnded: (pipeline: CallPipeline) => void;
  }) {
    this.#stages = options.stages;
    this.#options = options.options;
    this.#call = options.call;
    this.pbxId = options.call.id;
    this.#dialogue = options.dialogue;
    this.flow = options.dialogue.flow;
    this.startedUs = options.stages.clock.monoUs();
    this.#dialogueState = options.dialogue.begin();
    this.#turn = initialTurn(options.options.turn);
    this.#onEnded = options.onEnded;
    const { audit, clock } = options.stages;
    this.#journal = new Journal(this.id, { audit, clock, logger: options.stages.logger.child({ call: this.id }), live: options.live });
  }

  /** Takes the call: answers, joins the audio, lets the flow begin. Never rejects: a failure ends the call. */
  async start(): Promise<void> {
    try {
      await this.#answer();
      if (!this.#ended) this.#tellDialogue({ t: 'start', variables: this.#call.args });
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #answer(): Promise<void> {
    const { pbx, media, stt } = this.#stages;
    const { receive, send } = this.#options;
    await this.#journal.before({
      type: 'call.incoming',
      body: { pbxId: this.pbxId, flow: this.#dialogue.flow, flowVersion: this.#dialogue.version, to: this.#call.to },
      content: { from: this.#call.from.number },
    });
    if (this.#ended) return;
    const session = media.open({ callId: this.id, receive, send });
    this.#media = session;
    await pbx.answer(this.pbxId);
    const leg = await pbx.openMedia(this.pbxId, { receive, send, localHost: session.localHost, localPort: session.localPort });
    if (this.#isEnded()) return;
    const logger = this.#stages.logger.child({ call: this.id });
    const language = this.#dialogue.language;
    const speaker = new Speaker({ media: session, tts: this.#stages.tts, language, hooks: this.#speakerHooks() });
    const listener = new Listener({
      stt: stt.open({ callId: this.id, slot: session.slot, generation: session.generation, language }),
      logger,
      hooks: {
        words: (decode, result) => {
          this.#lastDecode = result;
          this.#tellTurn({ t: 'words', atMs: this.#nowMs(), decode: decode.decode, text: result.text, confidence: result.confidence });
        },
        failed: (decode, error) => {
          const code = error instanceof ParleyError ? error.code : 'STT_FAILED';
          this.#journal.write({ type: 'turn.failed', body: { turn: this.#turns, engine: 'stt', code } });
          this.#tellTurn({ t: 'decode-failed', atMs: this.#nowMs(), decode: decode.decode });
        },
      },
    });
    this.#open = { media: session, speaker, listener, timeline: new Timeline(this.#stages.clock.monoUs()) };
    session.onEvent((event) => this.#onMedia(event));
    session.setRemote(leg.remoteHost, leg.remotePort);
    const setupMs = Math.round((this.#stages.clock.monoUs() - this.startedUs) / 1000);
    this.#journal.write({ type: 'call.answered', body: { setupMs, codecIn: leg.receive, codecOut: leg.send } });
  }

  // ---- events in ----

  onPbx(event: PbxEvent): void {
    if (event.t === 'ended') void this.end(this.#parting.outcome, this.#parting.reason === '' ? event.reason : this.#parting.reason);
    else if (event.t === 'dtmf') this.#tellTurn({ t: 'dtmf', atMs: this.#nowMs(), digit: event.digit });
  }

  #onMedia(event: MediaEvent): void {
    const { speaker, timeline, media } = this.#open ?? {};
    if (speaker === undefined || timeline === undefined || media === undefined) return;
    speaker.onMedia(event);
    if (event.t === 'rtp-start') timeline.anchor(media.stats().sample, this.#stages.clock.monoUs());
    // Keys come from the PBX, which hears RFC 4733 and SIP INFO alike; taking both would count them twice.
    if (event.t === 'speech-start' || event.t === 'speech-end') {
      this.#tellTurn({ t: event.t, atMs: timeline.ms(event.atUs), sample: event.sample });
    }
  }

  #tellTurn(event: TurnEvent): void {
    if (this.#ended) return;
    const [state, effects] = decide(this.#turn, event);
    this.#turn = state;
    for (const effect of effects) this.#onTurnEffect(effect);
  }

  // ---- what the turn engine decided ----

  #onTurnEffect(effect: TurnEffect): void {
    switch (effect.t) {
      case 'decode':
        this.#open?.listener.decode(effect);
        break;
      case 'abort-decode':
        this.#open?.listener.abort(effect.decode);
        break;
      case 'commit':
        this.#commit(effect);
        break;
      case 'commit-digits':
        this.#turns = effect.turn;
        this.#marks = null;
        this.#journal.write({
          type: 'caller.keyed',
          body: { turn: effect.turn, digits: effect.digits.length },
          content: { digits: effect.digits },
        });
        this.#tellDialogue({ t: 'digits', digits: effect.digits });
        break;
      case 'silence':
        this.#marks = null;
        this.#journal.write({ type: 'caller.silent', body: { silentMs: effect.silentMs } });
        this.#tellDialogue({ t: 'silence' });
        break;
      case 'not-understood':
        this.#turns = effect.turn;
        this.#marks = null;
        this.#tellDialogue({ t: 'not-understood' });
        break;
      case 'stop-speaking':
        this.#open?.speaker.stop();
        break;
      case 'wake':
        this.#wakeAt(effect.atMs);
        break;
      case 'reason':
        this.#stages.logger.debug('turn decision', { call: this.id, rule: effect.rule, ...effect.figures });
        break;
    }
  }

  #commit(effect: Extract<TurnEffect, { t: 'commit' }>): void {
    const nowUs = this.#stages.clock.monoUs();
    this.#turns = effect.turn;
    this.#marks = {
      turn: effect.turn,
      endUs: nowUs - effect.waitMs * 1000,
      committedUs: nowUs,
      sttQueueMs: this.#lastDecode?.queueMs ?? null,
      sttMs: this.#lastDecode?.decodeMs ?? null,
      repliedUs: null,
      synthesisedUs: null,
      ttsMs: null,
      startedUs: null,
    };
    const { turn, confidence, fromSample, toSample, waitMs } = effect;
    const words = effect.text.split(/\s+/).filter((word) => word !== '').length;
    this.#journal.write({
      type: 'caller.said',
      body: { turn, words, confidence: Math.round(confidence * 1000) / 1000, fromSample, toSample, waitMs: Math.round(waitMs) },
      content: { text: effect.text },
    });
    this.#tellDialogue({ t: 'heard', text: effect.text, confidence });
  }

  #wakeAt(atMs: number): void {
    this.#wake?.();
    this.#wake = this.#stages.timers.after(Math.max(0, atMs - this.#nowMs()), () => {
      this.#wake = null;
      this.#tellTurn({ t: 'tick', atMs: Math.max(atMs, this.#nowMs()) });
    });
  }

  // ---- what the dialogue decided ----

  #tellDialogue(event: DialogueEvent): void {
    if (this.#ended) return;
    const [state, effects] = this.#dialogue.step(this.#dialogueState, event);
    this.#dialogueState = state;
    if (this.#marks !== null && this.#marks.repliedUs === null) this.#marks.repliedUs = this.#stages.clock.monoUs();
    this.#acting = this.#acting.then(() => this.#act(effects)).catch((error: unknown) => this.#fail(error));
  }

  /** Carries out one batch: first what is said, then what is done. */
  async #act(effects: readonly DialogueEffect[]): Promise<void> {
    const says: Say[] = [];
    const acts: DialogueEffect[] = [];
    let listen: Listen | null = null;
    for (const effect of effects) {
      if (effect.t === 'say') says.push(effect);
      else if (effect.t === 'listen') listen = effect;
      else if (effect.t === 'slot') this.#noteSlot(effect);
      else if (effect.t === 'step') this.#journal.write({ type: 'step.entered', body: { step: effect.step, reason: effect.reason } });
      else acts.push(effect);
    }
    if (says.length > 0 || listen !== null) await this.#say(says, listen, acts.length > 0);
    for (const act of acts) await this.#do(act);
  }

  #noteSlot(effect: Extract<DialogueEffect, { t: 'slot' }>): void {
    this.#journal.write({
      type: 'slot.filled',
      body: { slot: effect.slot, corrected: effect.corrected },
      content: { value: effect.value.value, spoken: effect.value.spoken },
    });
  }

  async #say(says: readonly Say[], listen: Listen | null, thenActs: boolean): Promise<void> {
    if (this.#open === null) return;
    // What leads to a hang-up or a transfer is said whole: stopping it would not stop the act.
    const interruptible = !thenActs && says.every((say) => say.interruptible);
    const patience = listen?.silenceMs === undefined ? {} : { silenceMs: listen.silenceMs };
    this.#tellTurn({ t: 'reply', atMs: this.#nowMs(), interruptible, expect: listen?.expect ?? null, ...patience });
    const { interrupted } = await this.#open.speaker.speak(says);
    this.#tellTurn({ t: 'agent-end', atMs: this.#nowMs(), interrupted });
    this.#tellDialogue({ t: 'said', interrupted });
  }

  async #do(act: DialogueEffect): Promise<void> {
    if (this.#ended) return;
    if (act.t === 'transfer') await this.#transfer(act.desk);
    else if (act.t === 'end') {
      this.#parting = { outcome: act.outcome, reason: act.how };
      if (act.how === 'leave') await this.#stages.pbx.leave(this.pbxId, this.#outcomeVariables(act.outcome));
      else await this.#stages.pbx.hangup(this.pbxId, 'normal');
      await this.end(act.outcome, act.how);
    }
  }

  async #transfer(name: string): Promise<void> {
    const desk = this.#stages.desk(name);
    if (desk === undefined) {
      this.#journal.write({ type: 'transfer.failed', body: { desk: name, code: 'CALL_NO_DESK' } });
      this.#tellDialogue({ t: 'transfer-failed', reason: 'unknown desk' });
      return;
    }
    await this.#journal.before({ type: 'transfer.requested', body: { desk: name } });
    this.#parting = { outcome: 'transferred', reason: 'transfer' };
    try {
      await this.#stages.pbx.transfer(this.pbxId, desk);
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.#parting = { outcome: 'caller-hangup', reason: '' };
      this.#journal.write({ type: 'transfer.failed', body: { desk: name, code: error.code } });
      this.#tellDialogue({ t: 'transfer-failed', reason: error.code });
      return;
    }
    await this.end('transferred', 'transfer');
  }

  /** What the dialplan finds after Stasis returns. */
  #outcomeVariables(outcome: string): Record<string, string> {
    const slots = this.#dialogue.slots(this.#dialogueState);
    const variables: Record<string, string> = { PARLEY_OUTCOME: outcome };
    for (const [name, slot] of Object.entries(slots)) variables[`PARLEY_SLOT_${name}`] = slot.value;
    return variables;
  }

  // ---- speaking ----

  #speakerHooks() {
    return {
      before: async (say: Say): Promise<void> => {
        if (say.kind !== 'notice') return;
        await this.#journal.before({ type: 'notice.started', body: this.#wording(say) });
      },
      synthesised: (_say: Say, ttsMs: number): void => {
        if (this.#marks === null || this.#marks.synthesisedUs !== null) return;
        this.#marks.synthesisedUs = this.#stages.clock.monoUs();
        this.#marks.ttsMs = Math.round(ttsMs * 10) / 10;
      },
      started: (say: Say, atUs: number): void => {
        this.#journal.show({ type: 'agent.speaking', body: { prompt: say.prompt, kind: say.kind }, content: { text: say.text } });
        this.#tellTurn({ t: 'agent-start', atMs: this.#open?.timeline.ms(atUs) ?? 0 });
        this.#noteLatency(atUs);
      },
      ended: (spoken: Spoken): void => this.#noteSpoken(spoken),
    };
  }

  #wording(say: Say): { prompt: string; language: string; wordingSha256: string } {
    return { prompt: say.prompt, language: this.#dialogue.language, wordingSha256: createHash('sha256').update(say.text).digest('hex') };
  }

  #noteLatency(startedUs: number): void {
    const marks = this.#marks;
    if (marks === null || marks.startedUs !== null) return;
    marks.startedUs = startedUs;
    this.#journal.write({ type: 'turn.latency', body: { turn: marks.turn, waterfall: waterfall(marks) } });
  }

  #noteSpoken({ say, sentMs, interrupted }: Spoken): void {
    const wording = this.#wording(say);
    if (say.kind === 'notice') this.#journal.write({ type: 'notice.completed', body: { ...wording, sentMs, interrupted } });
    const { prompt, wordingSha256 } = wording;
    this.#journal.write({
      type: 'agent.said',
      body: { prompt, kind: say.kind, wordingSha256, sentMs, interrupted },
      content: { text: say.text },
    });
    if (interrupted && !this.#ended) this.#journal.write({ type: 'caller.interrupted', body: { sentMs } });
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
    if (code === 'TTS_FAILED') this.#journal.write({ type: 'turn.failed', body: { turn: this.#turns, engine: 'tts', code } });
    // The caller is not left in silence: the dialplan goes on to its fallback.
    this.#parting = { outcome: 'failed', reason: code };
    const variables = { ...this.#outcomeVariables('failed'), PARLEY_ERROR: code };
    await this.#stages.pbx.leave(this.pbxId, variables).catch(() => undefined);
    await this.end('failed', code);
  }

  /** Gives the caller back to the dialplan, as at a drain that took too long. */
  async release(outcome: string): Promise<void> {
    if (this.#ended) return;
    this.#parting = { outcome, reason: 'released' };
    await this.#stages.pbx.leave(this.pbxId, this.#outcomeVariables(outcome)).catch(() => undefined);
    await this.end(outcome, 'released');
  }

  /** Frees everything, exactly once, in any state. Resolves when the end of the call is on disk. */
  async end(outcome: string, reason: string): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#wake?.();
    const stats = this.#media?.stats();
    this.#media?.close();
    this.#open?.speaker.close();
    this.#open?.listener.close();
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
    this.#onEnded(this);
    await this.#journal.settled();
  }

  #isEnded(): boolean {
    return this.#ended;
  }

  #nowMs(): number {
    return this.#open?.timeline.ms(this.#stages.clock.monoUs()) ?? 0;
  }
}

type Listen = Extract<DialogueEffect, { t: 'listen' }>;
