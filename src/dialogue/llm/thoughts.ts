/**
 * Leaves out what a reasoning model thinks aloud before it answers: servers that do not take it apart send it as text between <think> tags.
 * Only a block at the very beginning counts.
 */
const OPEN = '<think>';
const CLOSE = '</think>';

export class ThoughtFilter {
  /** begin: it may still become a thought; after: white space behind a thought. */
  #state: 'begin' | 'inside' | 'after' | 'through' = 'begin';
  #held = '';

  push(text: string): string {
    if (this.#state === 'through') return text;
    this.#held += text;
    this.#begin();
    this.#inside();
    return this.#after() ? this.#take() : '';
  }

  /** What was held back and is no thought. */
  end(): string {
    return this.#state === 'begin' ? this.#take() : '';
  }

  #begin(): void {
    if (this.#state !== 'begin') return;
    const start = this.#held.trimStart();
    if (start.startsWith(OPEN)) {
      this.#held = start.slice(OPEN.length);
      this.#state = 'inside';
    } else if (!OPEN.startsWith(start)) this.#state = 'through';
  }

  #inside(): void {
    if (this.#state !== 'inside') return;
    const end = this.#held.indexOf(CLOSE);
    if (end >= 0) {
      this.#held = this.#held.slice(end + CLOSE.length);
      this.#state = 'after';
    } else this.#held = this.#held.slice(-CLOSE.length);
  }

  /** True when what is held is to be said. */
  #after(): boolean {
    if (this.#state === 'after') {
      this.#held = this.#held.trimStart();
      if (this.#held !== '') this.#state = 'through';
    }
    return this.#state === 'through';
  }

  #take(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }
}
