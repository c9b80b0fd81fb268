/** A colleague's phone: called through the PBX, it hears a text from our synthesiser until it presses a key. No recogniser, no log. */
import {
  type Codec,
  type DeskPhone,
  type MediaEngine,
  type MediaSession,
  ParleyError,
  type PbxDriver,
  type PbxEvent,
  type SpeechClip,
  type TextToSpeech,
  type Timers,
} from '../contracts/index.ts';

export interface DeskPhoneParts {
  readonly pbx: PbxDriver;
  readonly media: MediaEngine;
  readonly tts: TextToSpeech;
  readonly timers: Timers;
  readonly receive: Codec;
  readonly send: Codec;
  /** Where a desk is in the dialplan, and what is spoken there. */
  readonly desk: (
    name: string,
  ) => { readonly context: string; readonly extension: string; readonly language?: string | undefined } | undefined;
  /** In which the text is said at a desk that has no language of its own. */
  readonly language: string;
  /** From the first ring to the key. */
  readonly timeoutMs: number;
}

type Question = Parameters<DeskPhone['ask']>[0];

/** Between two times that the text is said. */
const PAUSE_MS = 1500;

/** Errors of `ask` also: TTS_FAILED, MEDIA_PORTS_EXHAUSTED, PBX_FAILED. */
export function createDeskPhone(parts: DeskPhoneParts): DeskPhone {
  return { ask: (question) => ask(parts, question) };
}

async function ask(parts: DeskPhoneParts, question: Question): Promise<string | null> {
  const { pbx, tts, timers, language, timeoutMs } = parts;
  const target = parts.desk(question.desk);
  if (target === undefined) throw new ParleyError('PBX_BAD_INPUT', 'There is no such desk in the configuration.');
  const late = new AbortController();
  const cancel = timers.after(timeoutMs, () => late.abort(new Error('nobody pressed a key in time')));
  const over = AbortSignal.any([question.signal, late.signal]);
  const keys = new Keys(question.keys, over);
  try {
    const clip = await tts.synthesise(question.text, { language: target.language ?? language, signal: over });
    const id = await pbx.dial(target, { ringMs: timeoutMs, signal: over, onEvent: (event) => keys.take(event) });
    if (id === null) return null;
    try {
      return await say(parts, { id, clip, keys });
    } finally {
      // The line may be down: the driver sweeps what is left at its next connection.
      await pbx.hangup(id, 'normal').catch(() => undefined);
    }
  } catch (error) {
    if (over.aborted) return null;
    throw error;
  } finally {
    cancel();
  }
}

async function say(
  { pbx, media, receive, send }: DeskPhoneParts,
  call: { id: string; clip: SpeechClip; keys: Keys },
): Promise<string | null> {
  const { id, clip, keys } = call;
  const session = media.open({ callId: id, receive, send, cleaning: { noise: 'off', echo: 'off' } });
  try {
    session.onEvent((event) => {
      if (event.t === 'clip-start') keys.open();
      else if (event.t === 'dtmf') keys.press(event.digit);
    });
    const { localHost, localPort } = session;
    const leg = await pbx.openMedia(id, { receive, send, localHost, localPort });
    session.setRemote(leg.remoteHost, leg.remotePort);
    play(session, clip);
    return await keys.pressed;
  } finally {
    session.close();
  }
}

/** Again and again, with a pause. */
function play(session: MediaSession, { pcm, rateHz }: SpeechClip): void {
  const writer = session.openClip({ rateHz, held: false, loop: true });
  writer.write(pcm);
  writer.write(new Int16Array(Math.round((PAUSE_MS * rateHz) / 1000)));
  writer.end();
}

/** The first key that is wanted, from the moment at which the text can be heard: what is pressed before decides nothing. */
class Keys {
  readonly pressed: Promise<string | null>;
  readonly #wanted: readonly string[];
  #resolve: (key: string | null) => void = () => undefined;
  #isOpen = false;

  constructor(wanted: readonly string[], over: AbortSignal) {
    this.#wanted = wanted;
    this.pressed = new Promise((resolve) => (this.#resolve = resolve));
    over.addEventListener('abort', () => this.#resolve(null), { once: true });
  }

  open(): void {
    this.#isOpen = true;
  }

  press(digit: string): void {
    if (this.#isOpen && this.#wanted.includes(digit)) this.#resolve(digit);
  }

  take(event: PbxEvent): void {
    if (event.t === 'dtmf') this.press(event.digit);
    else if (event.t === 'ended') this.#resolve(null);
  }
}
