/**
 * While the caller gives a secret: the media engine blanks it, the turn engine sees how many keys there were and not which, and what was
 * given goes into the secret store; the dialogue gets a handle. Nothing of it is logged, shown, recorded, replayed or thought about.
 */
import type { MediaSession, SecretRequest, SecretStore } from '../contracts/index.ts';
import type { Journal } from './journal.ts';

export interface SecretDeskOptions {
  /** Null: no secret can be taken. */
  readonly store: SecretStore | null;
  readonly callId: string;
  readonly media: () => MediaSession | null;
  readonly journal: Journal;
  /** False where words leave this machine on the way to their meaning: then secrets are keyed, never spoken. */
  readonly mayBeSpoken: boolean;
  /** The digits in spoken words. */
  readonly digitsIn: (text: string) => string;
  readonly tellTurn: (event: { t: 'secure'; on: boolean }) => void;
  readonly tell: (answer: { t: 'secret'; slot: string; handle: string | null }) => void;
}

/** What every digit looks like to everybody else. */
const ANY_DIGIT = '0';

export class SecretDesk {
  readonly #options: SecretDeskOptions;
  #request: SecretRequest | null = null;
  #spoken = false;
  #digits = '';

  constructor(options: SecretDeskOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#request !== null;
  }

  /** What the dialogue listens for now. */
  expect(request: SecretRequest | null): void {
    if (request === null) {
      this.#close();
      return;
    }
    const { media, tellTurn, mayBeSpoken } = this.#options;
    this.#request = request;
    this.#spoken = request.byVoice && mayBeSpoken;
    this.#digits = '';
    media()?.secure(this.#spoken ? 'spoken' : 'on');
    tellTurn({ t: 'secure', on: !this.#spoken });
  }

  /** A key as everybody else may see it. */
  key(key: string): string {
    if (this.#request === null) return key;
    if (key === '*') this.#digits = '';
    if (!/^\d$/.test(key)) return key;
    this.#digits += key;
    return ANY_DIGIT;
  }

  /** The keys are complete. False when this is no secret: zero alone asks for a person. */
  keyed(): boolean {
    const digits = this.#digits;
    this.#digits = '';
    if (this.#request === null || (digits === '0' && this.#request.min > 1)) return false;
    this.#given(this.#request, digits, 'keys');
    return true;
  }

  /** The caller spoke. False when there was no digit in it: a question, a wish. */
  said(text: string): boolean {
    const digits = this.#request !== null && this.#spoken ? this.#options.digitsIn(text) : '';
    if (this.#request === null || digits === '') return false;
    this.#given(this.#request, digits, 'voice');
    return true;
  }

  #given(request: SecretRequest, digits: string, how: 'keys' | 'voice'): void {
    const { store, callId, journal, tell } = this.#options;
    const accepted = store !== null && digits.length >= request.min && digits.length <= request.max && passes(request.check, digits);
    this.#close();
    journal.write({ type: 'secret.given', body: { slot: request.slot, how, digits: digits.length, accepted } });
    tell({ t: 'secret', slot: request.slot, handle: accepted ? store.put(callId, digits) : null });
  }

  #close(): void {
    this.#digits = '';
    if (this.#request === null) return;
    this.#request = null;
    this.#options.media()?.secure('off');
    if (!this.#spoken) this.#options.tellTurn({ t: 'secure', on: false });
    this.#spoken = false;
  }

  /** The call is over. */
  end(): void {
    this.#digits = '';
    this.#request = null;
    this.#options.store?.forget(this.#options.callId);
  }
}

function passes(check: SecretRequest['check'], digits: string): boolean {
  if (check === 'none') return true;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]) * (i % 2 === 1 ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 === 0;
}
