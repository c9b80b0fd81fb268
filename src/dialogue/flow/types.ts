import type { ToolDefinition, ToolValue } from '../../contracts/index.ts';
import type { OpeningHours } from '../hours.ts';
import type { Expression, ValueType } from './expression.ts';

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
    /** Its value is a handle (contracts/secrets), nothing is spoken back. */
    | { readonly type: 'secret'; readonly min: number; readonly max: number; readonly check: 'none' | 'luhn'; readonly byVoice: boolean }
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
    /** `to`: a variable with the name of the desk that is meant; `desk` where it has none that is there. */
    | {
        readonly t: 'transfer';
        readonly desk: string;
        readonly to: string | null;
        readonly prompt: string;
        readonly failed: string | null;
      }
    | (ToolUse & {
        readonly t: 'do';
        readonly wait: string;
        readonly failure: string;
        readonly next: string;
        readonly failed: string | null;
      })
    /** Tools that only read, all at once. */
    | {
        readonly t: 'gather';
        readonly tools: readonly ToolUse[];
        /** So many must answer. */
        readonly atLeast: number;
        readonly wait: string;
        readonly failure: string;
        readonly next: string;
        readonly failed: string | null;
      }
    /** Targets are variables, or 'call.x' and 'contact.x'. */
    | { readonly t: 'set'; readonly values: readonly (readonly [target: string, value: Expression])[]; readonly next: string }
    | {
        readonly t: 'call';
        readonly flow: string;
        readonly with: Readonly<Record<string, ToolValue>>;
        /** Variables here by the results of the called flow; `outcome` is always one of them. */
        readonly into: Readonly<Record<string, string>>;
        readonly next: string;
        /** Where to go on when the called flow ended with the outcome `failed`. */
        readonly failed: string | null;
      }
    | { readonly t: 'route'; readonly rules: readonly Rule[]; readonly model: RouteModel | null; readonly otherwise: string }
    | {
        readonly t: 'agent';
        readonly goal: string;
        readonly tools: readonly string[];
        readonly prompt: string;
        readonly next: string;
        readonly otherwise: string | null;
        readonly budget: AgentBudget;
        readonly forbidden: readonly string[];
        /** Other agent steps that it may hand the caller to, and what each is for. */
        readonly specialists: Readonly<Record<string, string>>;
        /** Name of a model of the flow; the chosen one where null. */
        readonly model: string | null;
      }
    | { readonly t: 'end'; readonly how: 'hangup' | 'leave' | 'return'; readonly prompt: string | null }
  );

/** One tool with its arguments. */
export interface ToolUse {
  readonly tool: string;
  readonly with: Readonly<Record<string, ToolValue>>;
  /** Variables by the field of the result that fills them. */
  readonly into: Readonly<Record<string, string>>;
}

export type Risk = 'low' | 'normal' | 'high';

/** What holds from a choice on; null leaves it as it is. */
export interface Choosing {
  readonly language: string | null;
  readonly persona: string | null;
  readonly model: string | null;
  /** Takes the cheapest model that is at least so good and can be paid. */
  readonly accuracy: number | null;
  readonly risk: Risk | null;
}

export interface Rule extends Omit<Case, 'next'> {
  readonly choosing: Choosing;
  /** Null: what was chosen holds, and the rules go on. */
  readonly next: string | null;
}

export interface Persona {
  /** Voice by its name in the configuration; null for the language's own. */
  readonly voice: string | null;
  /** For models: how it talks. */
  readonly style: string;
  /** Model that it thinks with, of the flow's; null for the one that is chosen otherwise. */
  readonly model: string | null;
}

/** A model as the flow sees it: how good, and what one answer costs in the operator's currency. */
export interface ModelGrade {
  readonly accuracy: number;
  readonly cost: number;
}

export interface RouteModel {
  readonly slot: string;
  readonly model: string | null;
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
  /** From the first thought on, the caller's own time included. */
  readonly totalMs: number;
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
  /** All must hold, and the expression where there is one. */
  readonly when: readonly Condition[];
  readonly expression: Expression | null;
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
  /** What was recognised with less confidence counts as not understood. */
  readonly confidence: number;
  /** A yes to something that has an effect must be at least so sure. */
  readonly yesConfidence: number;
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
  /** Defaults of the variables that the dialplan, or the flow that calls this one, may pass. */
  readonly variables: Readonly<Record<string, string>>;
  /** Defaults of what all flows of a call share, and of what is kept about the contact. */
  readonly call: Readonly<Record<string, string>>;
  readonly contact: Readonly<Record<string, string>>;
  /** Types of the variables, 'call.x' and 'contact.x'. */
  readonly types: Readonly<Record<string, ValueType>>;
  /** Result name to slot or variable, for flows that call this one. */
  readonly results: Readonly<Record<string, string>>;
  readonly hours: OpeningHours | null;
  readonly personas: Readonly<Record<string, Persona>>;
  readonly models: Readonly<Record<string, ModelGrade>>;
  /** Most that a call may cost; null for no bound. */
  readonly budget: number | null;
  /** Never said in a text that has words of a model or a tool in it. */
  readonly forbidden: readonly string[];
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
