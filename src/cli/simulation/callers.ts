/**
 * Synthetic callers: one that knows its answers and has a manner, and one that a language model plays. Both hear what a caller hears; the
 * first is also told which slot is asked for, as a person would understand it.
 */
import type { LanguageModel } from '../../contracts/index.ts';
import type { FlowTestCaller, FlowTestTurn } from '../../dialogue/index.ts';

/** What the caller has before it when it is its turn. */
export interface Heard {
  readonly words: string;
  /** The slot that is asked for; null for an open question. */
  readonly slot: string | null;
  readonly kind: 'question' | 'confirm' | 'other';
}

export interface SyntheticCaller {
  /** Null: it hangs up. */
  next(heard: Heard): Promise<FlowTestTurn | null>;
}

export function createCaller(caller: FlowTestCaller, model: LanguageModel | null, turn: number): SyntheticCaller {
  return model !== null && caller.goal !== undefined ? new ModelCaller(caller, caller.goal, model) : new PersonaCaller(caller, turn);
}

class PersonaCaller implements SyntheticCaller {
  readonly #caller: FlowTestCaller;
  readonly #random: () => number;
  readonly #wishes: string[];
  readonly #forgotten = new Set<string>();

  /** `round` makes repeated runs differ, each the same every time. */
  constructor(caller: FlowTestCaller, round: number) {
    this.#caller = caller;
    this.#random = seeded(caller.seed + round * 7919);
    this.#wishes = [...caller.wants];
  }

  next(heard: Heard): Promise<FlowTestTurn | null> {
    return Promise.resolve(this.#mannered(this.#plain(heard), heard));
  }

  #plain({ slot, kind }: Heard): string {
    const { knows } = this.#caller;
    if (kind === 'confirm') return knows['confirm'] ?? 'yes';
    if (slot !== null && knows[slot] !== undefined) return knows[slot];
    return this.#wishes.shift() ?? knows['more'] ?? 'no thank you';
  }

  #mannered(says: string, { slot, kind }: Heard): FlowTestTurn {
    const chance = this.#random();
    switch (this.#caller.persona) {
      case 'calm':
        return { says };
      case 'hasty':
        return { says, interrupts: true };
      case 'chatty':
        return { says: `${pick(CHAT, this.#random())} ${says}` };
      case 'mumbling':
        return chance < 0.3 && this.#once(`mumble ${slot ?? kind}`) ? { unheard: true } : { says, confidence: 0.5 + chance / 2 };
      case 'silent':
        return chance < 0.3 && this.#once(`silence ${slot ?? kind}`) ? { silent: true } : { says };
      case 'forgetful':
        return slot !== null && this.#once(`forget ${slot}`) && chance < 0.5 ? { says: 'i do not know' } : { says };
      case 'contrary':
        return kind === 'confirm' && this.#once('no') ? { says: 'no' } : { says };
    }
  }

  /** What spoils an answer does so once at each place, so that every caller comes to an end. */
  #once(what: string): boolean {
    const isNew = !this.#forgotten.has(what);
    this.#forgotten.add(what);
    return isNew;
  }
}

const CHAT = ['well you know', 'good morning it is a nice day', 'so my sister told me to call you', 'ah yes', 'let me see'];

function pick<T>(list: readonly T[], share: number): T | undefined {
  return list[Math.floor(share * list.length)];
}

/** The same numbers for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const MANNERS: Readonly<Record<FlowTestCaller['persona'], string>> = {
  calm: 'calm and short',
  hasty: 'in a hurry, short, impatient',
  chatty: 'talkative, with stories beside the point',
  mumbling: 'unclear, with half sentences',
  silent: 'a person of very few words',
  forgetful: 'unsure, somebody who looks things up',
  contrary: 'somebody who first says no and changes his mind',
};

/** Says what the model makes of the goal; HANGUP from the model ends the call. */
class ModelCaller implements SyntheticCaller {
  readonly #model: LanguageModel;
  readonly #messages: { role: 'system' | 'user' | 'assistant'; text: string }[];

  constructor(caller: FlowTestCaller, goal: string, model: LanguageModel) {
    this.#model = model;
    const facts = Object.entries(caller.knows).map(([name, value]) => `${name}: ${value}`);
    const text =
      `You play a person who phones a company. You are ${MANNERS[caller.persona]}. Your goal: ${goal}. You know: ${facts.join('; ')}. ` +
      'Answer with one short spoken sentence, no quotes, nothing else. Answer HANGUP when the goal is reached or cannot be reached.';
    this.#messages = [{ role: 'system', text }];
  }

  async next({ words }: Heard): Promise<FlowTestTurn | null> {
    this.#messages.push({ role: 'user', text: words === '' ? '(silence)' : words });
    let said = '';
    const options = { maxTokens: 60, temperature: 0.7 };
    for await (const delta of this.#model.chat({ callKey: 'synthetic-caller', messages: [...this.#messages], options }))
      if (delta.t === 'text' && said.length < 500) said += delta.text;
    const says = said.replace(/\s+/g, ' ').trim();
    this.#messages.push({ role: 'assistant', text: says });
    return says === '' || /\bHANGUP\b/.test(says) ? null : { says };
  }
}
