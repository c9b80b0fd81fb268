/** The flows of a call in the languages that it may change to: each made once, when it is first needed. */
import type { Flow } from '../flow/types.ts';
import { createFactSearch, type FactSearch, type Knowledge, NO_KNOWLEDGE } from '../knowledge/facts.ts';
import { type LanguagePack, LANGUAGES } from '../language/index.ts';
import { createIntentFinder, type IntentFinder } from '../understand/phrases.ts';

/** The same for all calls of a flow in a language. */
export interface Script {
  readonly flow: Flow;
  readonly pack: LanguagePack;
  readonly facts: FactSearch;
  readonly knowledge: Knowledge;
  readonly intent: IntentFinder;
  readonly desks: readonly string[];
}

export interface FlowWithFacts {
  readonly flow: Flow;
  readonly facts: Readonly<Record<string, Knowledge>>;
}

export class Scripts {
  readonly #root: FlowWithFacts;
  readonly #called: ReadonlyMap<string, FlowWithFacts>;
  readonly #desks: readonly string[];
  readonly #made = new Map<string, Script>();
  /** The one that calls begin in. */
  readonly language: string;

  constructor(root: FlowWithFacts, called: ReadonlyMap<string, FlowWithFacts>, desks: readonly string[], language: string) {
    this.language = language;
    this.#root = root;
    this.#called = called;
    this.#desks = desks;
  }

  get flows(): readonly string[] {
    return [this.#root.flow.name, ...this.#called.keys()];
  }

  /** Undefined for a flow or a language that is not there. */
  of(name: string, language: string): Script | undefined {
    const key = `${language} ${name}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const found = name === this.#root.flow.name ? this.#root : this.#called.get(name);
    const pack = LANGUAGES[language];
    if (found?.flow.languages.includes(language) !== true || pack === undefined) return undefined;
    const knowledge = found.facts[language] ?? NO_KNOWLEDGE;
    const facts = createFactSearch(knowledge, pack);
    const made = { flow: this.#inCall(found.flow), pack, facts, knowledge, intent: createIntentFinder(pack), desks: this.#desks };
    this.#made.set(key, made);
    return made;
  }

  /** A called flow has the person and the bounds of the call that it is part of. */
  #inCall(flow: Flow): Flow {
    const root = this.#root.flow;
    if (flow === root) return flow;
    return {
      ...flow,
      person: flow.person ?? root.person,
      hours: flow.hours ?? root.hours,
      forbidden: [...new Set([...flow.forbidden, ...root.forbidden])],
      personas: { ...root.personas, ...flow.personas },
      models: { ...root.models, ...flow.models },
      limits: { ...flow.limits, turns: root.limits.turns },
    };
  }
}
