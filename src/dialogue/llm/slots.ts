/** Which call owns which slot of a server, so that its prompt stays warm there. */
import type { Logger } from '../../contracts/index.ts';

export class Slots {
  readonly #count: number;
  readonly #owners = new Map<string, number>();
  readonly #free: number[];
  readonly #logger: Logger | undefined;
  #overflow = new Set<string>();

  /** `count` 0: the server has no slots that could be named. */
  constructor(count: number, logger?: Logger) {
    this.#count = count;
    this.#free = Array.from({ length: count }, (_, i) => count - 1 - i);
    this.#logger = logger;
  }

  /** The call's slot, taken at its first request; null when all are taken: then the server chooses. */
  of(callKey: string): number | null {
    const owned = this.#owners.get(callKey);
    if (owned !== undefined) return owned;
    const slot = this.#free.pop();
    if (slot === undefined) {
      if (this.#count > 0 && !this.#overflow.has(callKey)) {
        this.#overflow.add(callKey);
        this.#logger?.warn('more calls than slots on the language-model server: prompts will be read again', {
          slots: this.#count,
          calls: this.#owners.size + this.#overflow.size,
        });
      }
      return null;
    }
    this.#overflow.delete(callKey);
    this.#owners.set(callKey, slot);
    return slot;
  }

  release(callKey: string): void {
    this.#overflow.delete(callKey);
    const slot = this.#owners.get(callKey);
    if (slot === undefined) return;
    this.#owners.delete(callKey);
    this.#free.push(slot);
  }
}
