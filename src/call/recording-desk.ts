/**
 * One call's recording: begun when the log has the consent, silent where a number was said, gone when consent is withdrawn. Knows
 * what was understood of which samples; audio itself it never touches.
 */
import {
  type CallRecorder,
  type Codec,
  type DecodeResult,
  type DialogueEffect,
  type Logger,
  type MediaEvent,
  type MediaSession,
  type OpenRecording,
  ParleyError,
  type Recording,
  type Word,
} from '../contracts/index.ts';
import { BrokenRecordings } from './broken-recordings.ts';
import type { Journal } from './journal.ts';
import type { Spoken } from './speaker.ts';

type Consent = Extract<DialogueEffect, { t: 'consent' | 'record' }>;
interface Range {
  readonly fromSample: number;
  readonly toSample: number;
}

export interface RecordingDeskOptions {
  /** Null: nothing is ever recorded. */
  readonly recorder: CallRecorder | null;
  readonly callId: string;
  readonly number: string;
  readonly language: string;
  readonly receive: Codec;
  readonly media: () => MediaSession | null;
  readonly journal: Journal;
  readonly logger: Logger;
  /** Where numbers are in a text, as characters [from, to); null: nothing is kept out of recordings. */
  readonly findSecrets: ((text: string) => readonly { readonly from: number; readonly to: number }[]) | null;
  /** "Stop the recording", in the language of the call. */
  readonly isWithdrawal: (text: string) => boolean;
  /** `kept` is another now. */
  readonly changed: () => void;
}

/** Recognisers place words to a fifth of a second or so: more than the word is left out. */
const PAD_SAMPLES = 4800;
/** Words that can belong to a number which the caller is still saying. */
const MOST_WORDS = 80;

export class RecordingDesk {
  readonly #options: RecordingDeskOptions;
  #recording: Recording | null = null;
  #words: Word[] = [];
  /** First sample of speech that is not understood yet. */
  #unheardFrom: number | null = null;
  /** What we said last, in sent samples. */
  #sent: Range = { fromSample: 0, toSample: 0 };
  #held = false;
  #withdrawn = false;
  /** What a process before this one recorded of the call. */
  readonly #earlier: BrokenRecordings | null;

  constructor(options: RecordingDeskOptions) {
    this.#options = options;
    const { recorder } = options;
    this.#earlier = recorder === null ? null : new BrokenRecordings({ ...options, recorder });
  }

  /** After a crash: what was recorded before it. Never rejects. */
  async adopt(recordings: readonly OpenRecording[]): Promise<void> {
    if (recordings.length > 0) await this.#earlier?.adopt(recordings);
  }

  /** All that a withdrawal must take back, for whoever comes after a crash. */
  get kept(): readonly OpenRecording[] {
    const id = this.#recording?.id;
    return [...(this.#earlier?.kept ?? []), ...(id === undefined ? [] : [{ id, broken: false, withdrawn: this.#withdrawn }])];
  }

  /** Log before act; a recording that cannot be made costs the recording, not the call. */
  async carryOut(effect: Consent): Promise<void> {
    const { journal, language, media, logger } = this.#options;
    const atSample = media()?.stats().sample ?? 0;
    if (effect.t === 'consent') {
      const { result, how, wordingVersion, wordingSha256 } = effect;
      if (result === 'withdrawn') this.#withdraw();
      await journal.before({
        type: 'consent',
        body: { purpose: 'recording', result, how, language, wordingVersion, wordingSha256, atSample },
      });
      return;
    }
    const code = (error: unknown): string => (error instanceof ParleyError ? error.code : 'INTERNAL');
    const act = effect.act === 'start' ? this.#start() : this.#shred();
    await act.catch((error: unknown) => logger.error('recording failed', { code: code(error) }));
  }

  async #start(): Promise<void> {
    const { recorder, callId, number, receive, journal, media } = this.#options;
    // In the log the end of the one before comes first.
    await this.#earlier?.told();
    const session = media();
    if (recorder === null || session === null || this.#recording !== null) return;
    const wide = receive === 'g722' || receive === 'slin16';
    this.#recording = await recorder.start({
      callId,
      slot: session.slot,
      generation: session.generation,
      number,
      fromSample: session.stats().sample,
      rateHz: wide ? 16_000 : 8000,
      log: (entry) => journal.before(entry),
    });
    this.#withdrawn = false;
    this.#options.changed();
  }

  #withdraw(): void {
    this.#withdrawn = true;
    this.#earlier?.withdraw();
    this.#options.changed();
  }

  async #shred(): Promise<void> {
    const recording = this.#recording;
    this.#held = false;
    const why = 'consent withdrawn';
    const done = await Promise.allSettled([recording?.shred(why), this.#earlier?.shred(why)]);
    if (done[0].status === 'fulfilled') this.#recording = null;
    this.#options.changed();
    for (const each of done) if (each.status === 'rejected') throw each.reason;
  }

  // ---- what was said in it ----

  onMedia(event: MediaEvent): void {
    if (event.t === 'speech-start') this.#unheardFrom ??= event.sample;
    else if (event.t === 'clip-start') this.#sent = { fromSample: event.sentSample, toSample: event.sentSample };
    else if (event.t === 'clip-end') this.#sent = { ...this.#sent, toSample: event.sentSample };
  }

  /** Words of the caller, partial ones too. */
  heard({ fromSample, toSample, kind }: Range & { readonly kind: 'partial' | 'final' }, { text, words }: DecodeResult): void {
    if (kind === 'final') this.#unheardFrom = null;
    if (this.#recording === null) return;
    this.#holdOnDoubt(text);
    const { findSecrets } = this.#options;
    if (findSecrets === null) return;
    if (words.length === 0) {
      if (findSecrets(text).length > 0) this.#silence('caller', { fromSample, toSample });
      return;
    }
    const others = this.#words.filter((word) => word.toSample <= fromSample || word.fromSample >= toSample);
    this.#words = [...others, ...words].sort((a, b) => a.fromSample - b.fromSample).slice(-MOST_WORDS);
    for (const range of secretRanges(this.#words, findSecrets)) this.#silence('caller', range);
  }

  /** Nobody could understand it: so nobody knows whether it may be kept. */
  notHeard(range: Range): void {
    if (this.#options.findSecrets !== null) this.#silence('caller', range);
  }

  /** Our own words: where a number is read back, the whole text is left out. */
  spoken({ say }: Spoken): void {
    const { findSecrets } = this.#options;
    if (findSecrets !== null && findSecrets(say.text).length > 0) this.#silence('agent', this.#sent);
  }

  #silence(line: 'caller' | 'agent', { fromSample, toSample }: Range): void {
    this.#recording?.silence(line, Math.max(0, fromSample - PAD_SAMPLES), toSample + PAD_SAMPLES);
  }

  /** Words that may be a withdrawal stop the recording before the turn is over. */
  #holdOnDoubt(text: string): void {
    if (this.#held || !this.#options.isWithdrawal(text)) return;
    this.#held = true;
    this.#recording?.pause('asked').catch(() => undefined);
  }

  /** The turn is committed: what only looked like a withdrawal does not stop anything. */
  committed(text: string): void {
    if (!this.#held || this.#options.isWithdrawal(text)) return;
    this.#held = false;
    this.#recording?.resume().catch(() => undefined);
  }

  /** Before the audio is gone. Null when there is nothing to wait for. Never rejects: the call ends whatever became of its recording. */
  end(reason: string): Promise<void> | null {
    const recording = this.#recording;
    this.#recording = null;
    const unheard = this.#options.findSecrets === null ? null : this.#unheardFrom;
    if (recording === null) return null;
    return recording.stop(reason, unheard).catch((error: unknown) => {
      const code = error instanceof ParleyError ? error.code : 'INTERNAL';
      this.#options.logger.error('the end of a recording was not logged', { code });
    });
  }
}

/** Caller samples in which the words of a find were said. */
function secretRanges(words: readonly Word[], find: (text: string) => readonly { from: number; to: number }[]): Range[] {
  let text = '';
  const places = words.map((word) => {
    const from = text.length;
    text += `${word.text} `;
    return { word, from, to: text.length - 1 };
  });
  return find(text).flatMap((span) => {
    const said = places.filter(({ from, to }) => from < span.to && to > span.from).map(({ word }) => word);
    const first = said[0];
    const last = said.at(-1);
    return first === undefined || last === undefined ? [] : [{ fromSample: first.fromSample, toSample: last.toSample }];
  });
}
