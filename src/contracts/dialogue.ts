/**
 * The arrow from a committed turn to what is said and done: `step(state, event) -> [state, effects]`, pure.
 */
import type { AnsweredBy, ChatMessage, ToolCall, ToolSpec } from './llm.ts';
import type { Expectation } from './turn.ts';

/** What a tool changes: nothing, something that can be undone, something that cannot. */
export type EffectClass = 'read' | 'write' | 'irreversible';

/** One value of a tool's arguments or result. Numbers are finite. */
export type ToolValue = string | number | boolean;

export interface ToolField {
  readonly type: 'string' | 'number' | 'boolean';
  readonly optional: boolean;
  /** The only values that it may have; null when any. */
  readonly oneOf: readonly ToolValue[] | null;
  /** Longest text, characters. */
  readonly maxLength: number;
  /** Results only: may hold this caller's addresses and numbers. Of any other result they are not spoken. */
  readonly personal?: boolean;
  /** Arguments only: taken from the call's context by this name. Never chosen by a caller or a model. */
  readonly context: string | null;
  /** Arguments only: a secret of the caller's; no other argument may be one. */
  readonly secret: boolean;
}

export type ToolShape = Readonly<Record<string, ToolField>>;

export type ToolTarget =
  | {
      readonly t: 'http';
      readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
      readonly url: string;
      /** Arguments that stand in the query whatever the method; of GET and DELETE all do. */
      readonly query?: readonly string[];
      /** What arguments of query and body are called there, where it is not the same. */
      readonly names?: Readonly<Record<string, string>>;
    }
  /** A tool of a Model Context Protocol server that the configuration names. */
  | { readonly t: 'mcp'; readonly server: string; readonly tool: string }
  /** A port of Parley by name: 'calendar.free', 'directory.find', 'message.send'. */
  | { readonly t: 'port'; readonly name: string };

/** A tool as a flow file describes it. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  readonly effect: EffectClass;
  /** A person must agree before every call. */
  readonly approval: boolean;
  /** What a second pass of a model must find true before every call; none when left out. */
  readonly review?: string | null;
  readonly arguments: ToolShape;
  readonly result: ToolShape;
  readonly target: ToolTarget;
  readonly timeoutMs: number;
  /** Tries after the first; only for reads, and for writes with the same idempotency key. */
  readonly retries: number;
  readonly concurrency: number;
  readonly perMinute: number;
  /** In the operator's currency, for the cost of a call. */
  readonly cost: number;
}

export interface ToolRequest {
  /** Unique in the call. */
  readonly id: string;
  readonly tool: string;
  /** Without those that come from the call's context. */
  readonly arguments: Readonly<Record<string, ToolValue>>;
  /** The same for every try of the same act: nothing is done twice. */
  readonly idempotencyKey: string;
  /** The approval that allows it; null where none is needed. */
  readonly approval: string | null;
}

export type ToolFailure =
  'failed' | 'timeout' | 'busy' | 'wrong-shape' | 'too-large' | 'refused' | 'unknown-tool' | 'bad-arguments' | 'not-approved';

/** Data, never instructions. `mayHaveHappened`: an act whose answer was lost. */
export type ToolOutcome =
  | { readonly ok: true; readonly data: Readonly<Record<string, ToolValue>> }
  | { readonly ok: false; readonly reason: ToolFailure; readonly mayHaveHappened: boolean };

/** What is asked of the outside; each is answered by an event of the same id. May be answered late, never twice. */
export type Errand =
  | { readonly t: 'tool'; readonly request: ToolRequest; readonly definition: ToolDefinition }
  | { readonly t: 'approval'; readonly id: string; readonly tool: string; readonly summary: string; readonly timeoutMs: number }
  | {
      readonly t: 'think';
      readonly id: string;
      readonly messages: readonly ChatMessage[];
      readonly tools: readonly ToolSpec[];
      readonly maxTokens: number;
      readonly timeoutMs: number;
      /** Name of the model as flow and configuration call it; the usual one when left out. */
      readonly model?: string;
    };

/** What is known when a call begins. Set by the call, never by words; what is left out counts as unknown. */
export interface CallFacts {
  /** Number or extension that was dialled. */
  readonly to?: string;
  /** The caller's number; '' when withheld. */
  readonly from?: string;
  /** Wall clock at the start, UTC, ms since 1970. Without it no line is open. */
  readonly wallMs?: number;
  /** Earlier calls of this contact, where they may be kept. */
  readonly history?: { readonly calls: number; readonly lastOutcome: string; readonly daysSince: number };
  /** What was kept about the contact by `remember`, with consent. */
  readonly contact?: Readonly<Record<string, string>>;
  /** Most that this call may cost, in the operator's currency; the flow's own bound counts where it is lower. */
  readonly budget?: number;
}

/** `atMs`: milliseconds since the call began; time budgets need it, nothing else looks at it. */
export type DialogueEvent = DialogueHappening & { readonly atMs?: number };

type DialogueHappening =
  | { readonly t: 'start'; readonly variables: Readonly<Record<string, string>>; readonly facts?: CallFacts }
  | { readonly t: 'heard'; readonly text: string; readonly confidence: number }
  | { readonly t: 'digits'; readonly digits: string }
  | { readonly t: 'silence' }
  /** The secret that was asked for: a handle (contracts/secrets); null when what came cannot be it. */
  | { readonly t: 'secret'; readonly slot: string; readonly handle: string | null }
  /** The recogniser failed: the caller said something that nobody could hear. */
  | { readonly t: 'not-understood' }
  /** All that was said has been played, or the caller broke in. `heard`: the text up to the last word that the caller heard. */
  | { readonly t: 'said'; readonly interrupted: boolean; readonly heard?: string }
  | { readonly t: 'transfer-failed'; readonly reason: string }
  /** We were gone for a moment, and the call is still there: what was under way outside is lost. */
  | { readonly t: 'recovered' }
  /** An errand takes longer than a caller waits in silence. */
  | { readonly t: 'errand-slow'; readonly id: string }
  | { readonly t: 'tool-result'; readonly id: string; readonly outcome: ToolOutcome }
  | { readonly t: 'approval-result'; readonly id: string; readonly decision: 'approved' | 'denied' | 'timeout' }
  /** What the model said, which tools it wants called and who answered; null when it failed or was too late. */
  | {
      readonly t: 'thought';
      readonly id: string;
      readonly answer: {
        readonly text: string;
        readonly calls: readonly ToolCall[];
        readonly tokens: number;
        readonly by?: AnsweredBy;
      } | null;
    };

/** A secret that is asked for. */
export interface SecretRequest {
  readonly slot: string;
  readonly min: number;
  readonly max: number;
  readonly check: 'none' | 'luhn';
  /** May it be spoken, or only keyed? */
  readonly byVoice: boolean;
}

export interface SlotValue {
  /** Canonical form: '2026-11-27', '19:00', '4', 'yes', '1234'. */
  readonly value: string;
  /** As spoken back to the caller. */
  readonly spoken: string;
}

export type DialogueEffect =
  | {
      readonly t: 'say';
      readonly text: string;
      /** Prompt key in the flow file: what the log keeps instead of words. */
      readonly prompt: string;
      readonly kind: 'notice' | 'question' | 'answer' | 'confirm' | 'apology' | 'goodbye' | 'statement';
      /** False for the notice that this is a machine: talking over it does not stop it. */
      readonly interruptible: boolean;
      /** Language of the text, once it is no longer the one that the call began in. */
      readonly language?: string;
      /** Voice of the chosen persona, by its name in the configuration; the language's own where there is none. */
      readonly voice?: string;
    }
  /**
   * From here on the caller is understood in this language: the recogniser's session, the words of the turn engine and the language of
   * wordings in the log change before the next `listen`. Comes before the first `say` in the new language.
   */
  | { readonly t: 'language'; readonly language: string }
  /** For the log: who is speaking from here on. Its voice stands in each `say`. */
  | { readonly t: 'persona'; readonly persona: string; readonly voice: string | null }
  /** To be kept about the contact after the call, where the caller has agreed. `value` is content. */
  | { readonly t: 'remember'; readonly name: string; readonly value: string }
  /**
   * After what was said: listen for this. `silenceMs`: patience before `silence` is reported, where it is not the usual one.
   * `secret`: what comes is kept from everything but the one tool that gets it; it is answered by `secret`.
   */
  | { readonly t: 'listen'; readonly expect: Expectation; readonly silenceMs?: number; readonly secret?: SecretRequest }
  /** What the caller said to being recorded, for the log: before anything is done about it. */
  | {
      readonly t: 'consent';
      readonly result: 'granted' | 'refused' | 'withdrawn';
      readonly how: 'voice' | 'keys' | 'silence' | 'unclear' | 'declined-to-answer';
      readonly wordingVersion: string;
      readonly wordingSha256: string;
    }
  /** Done at once, in order, before what is said with it. */
  | { readonly t: 'record'; readonly act: 'start' | 'shred' }
  | { readonly t: 'transfer'; readonly desk: string }
  /** The flow is over. 'leave' goes on in the dialplan, 'hangup' ends the call. */
  | { readonly t: 'end'; readonly how: 'hangup' | 'leave'; readonly outcome: string }
  /** For the log. `value` is content: it goes to the vault or nowhere. */
  | { readonly t: 'slot'; readonly slot: string; readonly value: SlotValue; readonly corrected: boolean }
  | { readonly t: 'step'; readonly step: string; readonly reason: string }
  /** A way was chosen, for the log: by which rule, and on what evidence (names and numbers, no words of the caller). */
  | {
      readonly t: 'route';
      readonly step: string;
      readonly choice: string;
      readonly by: 'rule' | 'model' | 'default';
      readonly evidence: string;
      /** What holds from here on; null for what stays as it was. */
      readonly chosen?: {
        readonly language: string | null;
        readonly persona: string | null;
        readonly model: string | null;
        readonly risk: 'low' | 'normal' | 'high' | null;
      };
    }
  /** Something was kept from being said or done, for the log. */
  | { readonly t: 'refused'; readonly what: string; readonly rule: string }
  | Errand;

/** How a conversation with a model begins, before anybody has said anything: nothing of the caller, the same in every call of a day. */
export interface PromptBeginning {
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly ToolSpec[];
}

/** A running flow, immutable. The runner in dialogue/ knows what is inside. */
export interface Dialogue<S> {
  readonly flow: string;
  /** sha256 of the flow file and what it includes. */
  readonly version: string;
  readonly language: string;
  /** Every text that may be said without variables: rendered ahead. */
  readonly fixedTexts: readonly string[];
  /** The same in the other languages that the flow may change to, by language code. */
  readonly otherTexts?: Readonly<Record<string, readonly string[]>>;
  /** Of the first agent in the flow, so that its server can read it while the line rings. */
  readonly beginning?: PromptBeginning;
  begin(): S;
  step(state: S, event: DialogueEvent): readonly [S, readonly DialogueEffect[]];
  slots(state: S): Readonly<Record<string, SlotValue>>;
  /** What was to be kept about the contact so far, by name: content. Nothing when left out. */
  remembered?(state: S): Readonly<Record<string, string>>;
  /** In which language the caller is understood in this state; always `language` when left out. */
  languageOf?(state: S): string;
}
