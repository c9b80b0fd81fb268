/** One call in words, with flows written in the test: what is said, what is asked of the outside, and what holds. */
import type { CallFacts, Dialogue, DialogueEffect, DialogueEvent } from '../../src/contracts/index.ts';
import { ProblemsError } from '../../src/contracts/index.ts';
import { createDialogue, type FlowState, linkTexts, type LoadedFlow } from '../../src/dialogue/index.ts';

/** A Friday. */
export const TODAY = '2026-11-20';

export interface FlowCallOptions {
  readonly desks?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly facts?: CallFacts;
  readonly language?: string;
}

export class FlowCall {
  readonly dialogue: Dialogue<FlowState>;
  state: FlowState;
  effects: readonly DialogueEffect[] = [];

  constructor({ flow, facts, called }: LoadedFlow, options: FlowCallOptions = {}) {
    const { desks = ['host'], variables = {}, language = flow.language } = options;
    this.dialogue = createDialogue(flow, { facts, today: TODAY, desks, language, ...(called === undefined ? {} : { called }) });
    this.state = this.dialogue.begin();
    this.tell({ t: 'start', variables, ...(options.facts === undefined ? {} : { facts: options.facts }) });
  }

  tell(event: DialogueEvent): this {
    [this.state, this.effects] = this.dialogue.step(this.state, event);
    return this;
  }

  /** The caller says this; returns the reply. */
  hear(text: string, confidence = 0.9): string {
    return this.tell({ t: 'heard', text, confidence }).reply;
  }

  /** Answers the oldest open errand of a tool, in the order in which they were begun. */
  tool(data: Readonly<Record<string, string | number | boolean>> | null): string {
    const id = this.state.open.find(({ t }) => t === 'tool')?.id ?? '';
    const outcome = data === null ? { ok: false as const, reason: 'failed' as const, mayHaveHappened: false } : { ok: true as const, data };
    return this.tell({ t: 'tool-result', id, outcome }).reply;
  }

  /** The model says this, or calls these tools. */
  model(text: string, ...calls: readonly (readonly [name: string, given: Readonly<Record<string, unknown>>])[]): string {
    const id = this.state.open.find(({ t }) => t === 'think' || t === 'review')?.id ?? '';
    const asked = calls.map(([name, given], i) => ({ id: `${id}-${i}`, name, arguments: given }));
    return this.tell({ t: 'thought', id, answer: { text, calls: asked, tokens: 10 } }).reply;
  }

  /** Prompts, acts and errands of the last reply. */
  get reply(): string {
    return this.effects
      .map(shown)
      .filter((part) => part !== '')
      .join(' ');
  }

  get words(): string {
    return this.effects.flatMap((effect) => (effect.t === 'say' ? [effect.text] : [])).join(' ');
  }

  of<T extends DialogueEffect['t']>(kind: T): Extract<DialogueEffect, { t: T }>[] {
    return this.effects.filter((effect): effect is Extract<DialogueEffect, { t: T }> => effect.t === kind);
  }
}

function shown(effect: DialogueEffect): string {
  switch (effect.t) {
    case 'say':
      return effect.prompt;
    case 'transfer':
      return `-> ${effect.desk}`;
    case 'end':
      return `${effect.how}: ${effect.outcome}`;
    case 'tool':
      return `tool ${effect.request.tool}`;
    case 'approval':
      return `approval ${effect.tool}`;
    case 'think':
      return 'think';
    case 'refused':
      return `refused ${effect.what}: ${effect.rule}`;
    case 'language':
      return `language ${effect.language}`;
    default:
      return '';
  }
}

/** Flows by the text of their files; the first is returned. */
export function flowsOf(...texts: readonly string[]): LoadedFlow {
  const [first] = [...linkTexts(texts.map((text) => ({ text, file: `${/^flow: (\S+)/m.exec(text)?.[1] ?? 'x'}.yaml` }))).values()];
  if (first === undefined) throw new Error('no flow');
  return first;
}

/** What is wrong with them, without the names of the files. */
export function problemsIn(...texts: readonly string[]): string[] {
  try {
    flowsOf(...texts);
  } catch (error) {
    if (error instanceof ProblemsError) return error.message.split('\n');
    throw error;
  }
  return [];
}
