/** Bridges: a word or two that says we are at it, while the reply or a tool is late. */
import type { Fillers, Say } from './ports.ts';
import type { Speaker } from './speaker.ts';

const PROMPT = 'bridge';

export class Bridge {
  readonly #speaker: Speaker;
  readonly #texts: Fillers | undefined;
  #played = 0;

  constructor(speaker: Speaker, texts: Fillers | undefined) {
    this.#speaker = speaker;
    this.#texts = texts;
  }

  static is(say: Say): boolean {
    return say.prompt === PROMPT;
  }

  play(kind: keyof Fillers): void {
    const texts = this.#texts?.[kind] ?? [];
    const text = texts[this.#played % Math.max(1, texts.length)];
    if (text === undefined) return;
    this.#played += 1;
    const say: Say = { t: 'say', text, prompt: PROMPT, kind: 'statement', interruptible: true };
    // A bridge that fails is a bridge less.
    this.#speaker.speak([say]).catch(() => undefined);
  }
}
