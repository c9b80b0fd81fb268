/** Bridges: a word or two that says we are at it, while the reply or a tool is late. */
import type { Fillers, Say } from './ports.ts';
import type { Speaker } from './speaker.ts';

const PROMPT = 'bridge';

/** The built-in texts, by language. */
export const FILLERS: Readonly<Record<string, Fillers>> = {
  en: { opener: ['Okay.', 'Right.', 'I see.'], wait: ['One moment, please.', 'I am still on it.'] },
  de: { opener: ['Okay.', 'Gut.', 'Verstehe.'], wait: ['Einen Moment, bitte.', 'Ich bin noch dabei.'] },
  fr: { opener: ["D'accord.", 'Bien.', 'Je vois.'], wait: ['Un instant, je vous prie.', "Je m'en occupe encore."] },
  es: { opener: ['De acuerdo.', 'Bien.', 'Entiendo.'], wait: ['Un momento, por favor.', 'Sigo en ello.'] },
};

export class Bridge {
  readonly #speaker: Speaker;
  readonly #texts: Readonly<Record<string, Fillers>>;
  readonly #language: () => string;
  /** Counted apart, so that neither kind comes twice in a row with the same text. */
  readonly #played = { opener: 0, wait: 0 };

  /** `texts` by language; `language`: that of the conversation now. */
  constructor(speaker: Speaker, texts: Readonly<Record<string, Fillers>>, language: () => string) {
    this.#speaker = speaker;
    this.#texts = texts;
    this.#language = language;
  }

  static is(say: Say): boolean {
    return say.prompt === PROMPT;
  }

  play(kind: keyof Fillers): void {
    const language = this.#language();
    const texts = this.#texts[language.slice(0, 2)]?.[kind] ?? [];
    const text = texts[this.#played[kind] % Math.max(1, texts.length)];
    if (text === undefined) return;
    this.#played[kind] += 1;
    const say: Say = { t: 'say', text, prompt: PROMPT, kind: 'statement', interruptible: true, language };
    // A bridge that fails is a bridge less.
    this.#speaker.speak([say]).catch(() => undefined);
  }
}
