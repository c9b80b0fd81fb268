import type { ToolDefinition, ToolValue } from '../../contracts/index.ts';

/** A flow as the runner sees it: checked, every reference good, every prompt there in every language. */

/** One text per language code. */
export type Texts = Readonly<Record<string, string>>;

interface SlotBase {
  readonly name: string;
  /** What callers call it: "the day is wrong". By language. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  /** Prompt for a value that is understood but not allowed; the built-in `out_of_range` otherwise. */
  readonly outOfRange: string;
}

export interface Choice {
  readonly value: string;
  readonly words: Readonly<Record<string, readonly string[]>>;
  readonly spoken: Texts;
  readonly key: string | null;
}

export type Slot = SlotBase &
  (
    | {
        readonly type: 'digits';
        readonly min: number;
        readonly max: number;
        readonly before: WordsByLanguage;
        readonly after: WordsByLanguage;
      }
    | {
        readonly type: 'number';
        readonly min: number;
        readonly max: number;
        readonly before: WordsByLanguage;
        readonly after: WordsByLanguage;
      }
    | { readonly type: 'day'; readonly withinDays: number }
    /** Minutes since midnight. */
    | { readonly type: 'time'; readonly fromMinute: number; readonly toMinute: number }
    | { readonly type: 'yes-no' }
    | { readonly type: 'choice'; readonly choices: readonly Choice[] }
    | { readonly type: 'free' | 'name' | 'email' | 'phone' }
    /** In hundredths of the currency. */
    | { readonly type: 'money'; readonly minCents: number; readonly maxCents: number; readonly currency: string }
    | { readonly type: 'postcode'; readonly country: string }
  );

export type WordsByLanguage = Readonly<Record<string, readonly string[]>>;

interface StepBase {
  readonly name: string;
  /** Slots emptied on entry: for loops. */
  readonly forget: readonly string[];
  /** What the call came to so far, if it ends from here on without another outcome. */
  readonly outcome: string | null;
}

export type SayKind = 'notice' | 'statement' | 'apology' | 'goodbye';

export type Step = StepBase &
  (
    | { readonly t: 'say'; readonly prompt: string; readonly kind: SayKind; readonly interruptible: boolean; readonly next: string }
    | {
        readonly t: 'ask';
        readonly slot: string;
        readonly prompt: string;
        readonly reprompt: string;
        readonly next: string;
        readonly otherwise: string | null;
      }
    | {
        readonly t: 'confirm';
        readonly slots: readonly string[];
        readonly prompt: string;
        readonly which: string;
        readonly next: string;
        readonly otherwise: string | null;
      }
    | { readonly t: 'answer'; readonly prompt: string; readonly next: string; readonly otherwise: string | null }
    | { readonly t: 'decide'; readonly cases: readonly Case[]; readonly otherwise: string }
    | { readonly t: 'transfer'; readonly desk: string; readonly prompt: string; readonly failed: string | null }
    | {
        readonly t: 'do';
        readonly tool: string;
        readonly with: Readonly<Record<string, ToolValue>>;
        /** Variables by the field of the result that fills them. */
        readonly into: Readonly<Record<string, string>>;
        readonly wait: string;
        readonly failure: string;
        readonly next: string;
        readonly failed: string | null;
      }
    | { readonly t: 'route'; readonly rules: readonly Case[]; readonly model: RouteModel | null; readonly otherwise: string }
    | {
        readonly t: 'agent';
        readonly goal: string;
        readonly tools: readonly string[];
        readonly prompt: string;
        readonly next: string;
        readonly otherwise: string | null;
        readonly budget: AgentBudget;
        readonly forbidden: readonly string[];
      }
    | { readonly t: 'end'; readonly how: 'hangup' | 'leave'; readonly prompt: string | null }
  );

export interface RouteModel {
  readonly slot: string;
  /** What each step is for, by its name. */
  readonly choices: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** Bounds of one agent step in one call. */
export interface AgentBudget {
  readonly thoughts: number;
  readonly calls: number;
  readonly tokens: number;
  /** Longest single thought. */
  readonly timeoutMs: number;
}

/** One value is compared; what is not named is not tested. */
export interface Condition {
  readonly of: { readonly t: 'slot' | 'variable'; readonly name: string };
  readonly is: readonly string[] | null;
  readonly filled: boolean | null;
  readonly atLeast: number | null;
  readonly atMost: number | null;
}

export interface Case {
  /** All must hold. */
  readonly when: readonly Condition[];
  readonly next: string;
}

export interface Limits {
  /** Misses at one question before we give up. */
  readonly misses: number;
  /** Silences in a row before we give up. */
  readonly silences: number;
  /** Caller's turns in a whole call. */
  readonly turns: number;
  /** Patience after "hold on". */
  readonly holdMs: number;
}

export interface Flow {
  readonly name: string;
  readonly file: string;
  /** sha256 over the flow file and what it includes. */
  readonly version: string;
  /** The language it is written in and falls to. */
  readonly language: string;
  readonly languages: readonly string[];
  readonly start: string;
  readonly steps: Readonly<Record<string, Step>>;
  readonly slots: Readonly<Record<string, Slot>>;
  /** Every prompt, the runner's own included. */
  readonly prompts: Readonly<Record<string, Texts>>;
  readonly tools: Readonly<Record<string, ToolDefinition>>;
  /** Defaults of the variables that the dialplan may pass. */
  readonly variables: Readonly<Record<string, string>>;
  /** Name of the knowledge file without its ending; null when there is none. */
  readonly facts: string | null;
  /** Desk for "I want to speak to a person"; null when nobody can be reached. */
  readonly person: string | null;
  /** Where to go on instead of the built-in ends. */
  readonly onSilence: string | null;
  readonly onFailure: string | null;
  readonly onGoodbye: string | null;
  readonly limits: Limits;
}
