/**
 * The stages of one call while its audio is open: made and wired when the media leg is joined, let go together before the media session is.
 *
 *   media events ──> speaker, ear ──voice──> turn, doubt        turn effects ──> listener, speculator, speaker, bridge
 *
 * Decides nothing.
 */
import type { GateEvent, MediaEvent, MediaSession, SttSession, TurnEffect } from '../contracts/index.ts';
import type { Errands } from './errands.ts';
import { Doubt } from './doubt.ts';
import { Ear } from './ear.ts';
import { Bridge } from './filler.ts';
import { Listener, type ListenerHooks } from './listener.ts';
import type { CallOptions, Stages } from './ports.ts';
import { Speaker, type SpeakerHooks } from './speaker.ts';
import { Speculator, type Think } from './speculator.ts';
import { Timeline } from './timeline.ts';
import type { Happening } from './turn-desk.ts';
import { carryOutVoice, type VoiceAct } from './voice-acts.ts';

export interface OpenPorts {
  readonly stages: Stages;
  readonly fillers: CallOptions['fillers'];
  readonly callId: string;
  /** The language that the call began in. */
  readonly began: string;
  /** That of the conversation now. */
  readonly language: () => string;
  readonly think: Think;
  readonly errands: Errands;
  readonly voice: SpeakerHooks;
  readonly words: ListenerHooks;
  readonly thrifty: () => boolean;
  /** Something happened now. */
  readonly tellTurn: (event: Happening) => void;
}

/** What these stages carry out of the turn engine's decisions. */
export type StageAct = Extract<TurnEffect, { t: 'decode' | 'abort-decode' | 'abandon' }> | VoiceAct;

export class OpenStages {
  readonly speaker: Speaker;
  readonly speculator: Speculator;
  readonly #ports: OpenPorts;
  readonly #media: MediaSession;
  readonly #listener: Listener;
  readonly #ear: Ear;
  readonly #doubt: Doubt | null;
  readonly #bridge: Bridge;
  readonly #timeline: Timeline;

  constructor(session: MediaSession, ports: OpenPorts) {
    const { stages, callId, errands, tellTurn, think } = ports;
    const { tts, timers, clock, detector, vad } = stages;
    this.#ports = ports;
    this.#media = session;
    this.#timeline = new Timeline(clock.monoUs());
    this.speaker = new Speaker({
      ...{ media: session, tts, language: ports.began, hooks: ports.voice, thrifty: ports.thrifty },
      clockMs: () => clock.monoUs() / 1000,
    });
    this.#listener = new Listener({
      stt: this.#recogniser(ports.language()),
      logger: stages.logger.child({ call: callId }),
      hooks: ports.words,
    });
    this.speculator = new Speculator({
      ...{ speaker: this.speaker, think, errands },
      onPrepared: (attempt, ready) => tellTurn({ t: 'prepared', attempt, ready }),
    });
    const onProbability = (probability: number): void => tellTurn({ t: 'detector', probability });
    this.#doubt = detector === undefined ? null : new Doubt({ detector, session, timers, onProbability });
    this.#bridge = new Bridge(this.speaker, ports.fillers ?? {}, ports.language);
    const heard = vad?.open({ callId, slot: session.slot, generation: session.generation }) ?? null;
    this.#ear = new Ear({ vad: heard, timers, onVoice: (event) => this.#onVoice(event) });
  }

  #recogniser(language: string): SttSession {
    const { slot, generation } = this.#media;
    return this.#ports.stages.stt.open({ callId: this.#ports.callId, slot, generation, language });
  }

  /** Microseconds of the monotonic clock to milliseconds of the media clock. */
  ms(atUs: number): number {
    return this.#timeline.ms(atUs);
  }

  /** From here on the recogniser is one of this language. */
  understand(language: string): void {
    this.#listener.change(this.#recogniser(language));
  }

  /** We say this now: it tells the recogniser which words are likely. */
  saying(text: string): void {
    this.#listener.said(text);
  }

  onMedia(event: MediaEvent): void {
    this.speaker.onMedia(event);
    if (event.t === 'rtp-start') this.#timeline.anchor(this.#media.stats().sample, this.#ports.stages.clock.monoUs());
    if (event.t === 'speech-hint') this.#ports.tellTurn({ t: 'speech-hint', sample: event.sample });
    // Keys come from the PBX, which hears RFC 4733 and SIP INFO alike; taking both would count them twice.
    this.#ear.onMedia(event);
  }

  #onVoice(event: GateEvent): void {
    this.#timeline.follow(this.#media.stats().sample, this.#ports.stages.clock.monoUs());
    if (event.t === 'speech-end') this.#doubt?.begin();
    else this.#doubt?.end();
    const sounded = event.t === 'speech-end' && event.prosody !== undefined ? { prosody: event.prosody } : {};
    this.#ports.tellTurn({ t: event.t, sample: event.sample, ...sounded });
  }

  carryOut(effect: StageAct): void {
    if (effect.t === 'decode') this.#listener.decode(effect);
    else if (effect.t === 'abort-decode') this.#listener.abort(effect.decode);
    else if (effect.t === 'abandon') this.speculator.abandon();
    else carryOutVoice(effect, this.speaker, this.#bridge);
  }

  /** The pause has been decided. */
  decided(): void {
    this.#doubt?.end();
  }

  /** What the caller heard of us is known now. */
  hush(): Promise<void> {
    return this.speaker.finish(this.#ports.stages.timers);
  }

  /** Whoever still holds clips or reads audio lets go. */
  close(): void {
    this.#doubt?.end();
    this.speaker.close();
    this.speculator.abandon();
    this.#ear.close();
    this.#listener.close();
  }
}
