/** Carries out what a dialogue asks of the outside, inside the bounds of each tool, and answers every errand exactly once. */
import {
  type Clock,
  type DialogueEvent,
  type Errand,
  isSecretHandle,
  type LanguageModel,
  type Logger,
  type PromptBeginning,
  type SecretStore,
  type Timers,
  type ToolDefinition,
  type ToolOutcome,
  type ToolRequest,
  type ToolShape,
  type ToolValue,
} from '../contracts/index.ts';
import { ToolGate } from './limits.ts';
import { type Approvers, type CallContext, NotDone, Refused, type ToolAdapter, TooLarge } from './ports.ts';
import { fitted } from './shape.ts';
import { thinkOnce } from './think.ts';

const HANDLE_CHARS = 64;
/** A caller hears a word after this much waiting. */
const SLOW_MS = 600;
/** Whatever tries there are, a caller gets a way on by then. */
const LONGEST_MS = 2900;
const WARN_AGAIN_MS = 60_000;

export interface DeskOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly adapters: Readonly<Partial<Record<'http' | 'mcp' | 'port', ToolAdapter>>>;
  readonly approvers: Approvers;
  /** Where the secrets of callers are; without it no tool gets one. */
  readonly secrets?: SecretStore;
  /** Null where no language model is configured: thoughts come back as null. */
  readonly model: LanguageModel | null;
  /** Hears which tool does not do its work, and why: never what it was given or said. Nobody when left out. */
  readonly logger?: Logger;
}

export interface ErrandContext {
  readonly callId: string;
  readonly context: CallContext;
  /** The call has ended: what runs is given up. */
  readonly signal: AbortSignal;
}

export type Tell = (event: DialogueEvent) => void;

export class ErrandDesk {
  readonly #options: DeskOptions;
  readonly #gates = new Map<string, ToolGate>();
  /** Approvals given and not yet used, by call. */
  readonly #approved = new Map<string, Map<string, string>>();

  /** When each warning was given last, by tool and reason. */
  readonly #warned = new Map<string, number>();

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** `tell` gets at most one `errand-slow` and then exactly one answer, none after the call has ended. */
  begin(errand: Errand, about: ErrandContext, tell: Tell): void {
    const id = errand.t === 'tool' ? errand.request.id : errand.id;
    let isDone = false;
    const stopSlow = this.#options.timers.after(SLOW_MS, () => {
      if (!isDone && !about.signal.aborted) tell({ t: 'errand-slow', id });
    });
    const answer = (event: DialogueEvent): void => {
      isDone = true;
      stopSlow();
      if (!about.signal.aborted) tell(event);
    };
    if (errand.t === 'tool')
      void this.#tool(errand, about).then((outcome) => {
        if (!outcome.ok && !about.signal.aborted) this.#warn(errand.definition, outcome.reason);
        answer({ t: 'tool-result', id, outcome });
      });
    else if (errand.t === 'approval') void this.#approval(errand, about).then((decision) => answer({ t: 'approval-result', id, decision }));
    else void thinkOnce(errand, this.#options, about).then((thought) => answer({ t: 'thought', id, answer: thought }));
  }

  /** What the model will be asked begins so. What fails here fails again, and is told, when it is asked. */
  warm(callId: string, { messages, tools }: PromptBeginning, signal: AbortSignal): void {
    this.#options.model?.warm({ callKey: callId, messages, tools, signal }).catch(() => undefined);
  }

  /** The call is over: its approvals are worth nothing any more, and its place at the model's server is free. */
  release(callId: string): void {
    this.#approved.delete(callId);
    this.#options.model?.release(callId);
  }

  async #approval(errand: Extract<Errand, { t: 'approval' }>, about: ErrandContext): Promise<'approved' | 'denied' | 'timeout'> {
    const { id, tool, summary, timeoutMs } = errand;
    const asked = await this.#within(timeoutMs, about.signal, (signal) =>
      this.#options.approvers.ask({ callId: about.callId, id, tool, summary, signal }),
    );
    // An approver that fails has not agreed.
    const decision = asked.t === 'value' ? asked.value : asked.t === 'late' ? 'timeout' : 'denied';
    if (decision === 'approved') {
      const ofCall = this.#approved.get(about.callId) ?? new Map<string, string>();
      this.#approved.set(about.callId, ofCall.set(id, tool));
    }
    return decision;
  }

  async #tool({ request, definition }: Extract<Errand, { t: 'tool' }>, about: ErrandContext): Promise<ToolOutcome> {
    if (definition.approval && !this.#useApproval(request, about.callId)) return failure('not-approved', false);
    const given = this.#arguments(request, definition, about);
    if (given === null) return failure('bad-arguments', false);
    const adapter = this.#options.adapters[definition.target.t];
    if (adapter === undefined) return failure('unknown-tool', false);
    const call = {
      tool: definition.name,
      target: definition.target,
      arguments: given,
      idempotencyKey: `${about.callId}-${request.idempotencyKey}`,
      callId: about.callId,
      ...((about.context['caller'] ?? '') === '' ? {} : { caller: about.context['caller'] ?? '' }),
    };
    const endMs = this.#nowMs() + LONGEST_MS;
    let outcome: ToolOutcome = failure('failed', false);
    for (let attempt = 0; attempt <= definition.retries; attempt++) {
      const leftMs = Math.min(definition.timeoutMs, endMs - this.#nowMs());
      if (leftMs <= 0 || about.signal.aborted) break;
      const tried = await this.#try(definition, leftMs, about.signal, (signal) => adapter({ ...call, signal }));
      outcome = tried.outcome;
      if (!tried.again) break;
    }
    return outcome;
  }

  /** One line a minute for each tool and reason: a server that is down is one fault, not one for each call. */
  #warn({ name, target }: ToolDefinition, reason: string): void {
    const place = placeOf(target);
    const key = JSON.stringify([name, place, reason]);
    const nowMs = this.#nowMs();
    if (nowMs - (this.#warned.get(key) ?? -Infinity) < WARN_AGAIN_MS) return;
    this.#warned.set(key, nowMs);
    this.#options.logger?.warn('a tool does not do its work', { tool: name, at: place, reason });
  }

  /** Whole and checked; secrets put in the place of their handles, at the last moment and once. */
  #arguments(request: ToolRequest, definition: ToolDefinition, about: ErrandContext): Readonly<Record<string, ToolValue>> | null {
    const given = scoped(request, definition, about.context);
    if (given === null) return null;
    const filled: Record<string, ToolValue> = {};
    for (const [name, value] of Object.entries(given)) {
      const isSecret = definition.arguments[name]?.secret === true;
      if (isSecret !== isSecretHandle(value)) return null;
      const secret = isSecret ? (this.#options.secrets?.take(about.callId, String(value)) ?? null) : value;
      if (secret === null || (isSecret && String(secret).length > (definition.arguments[name]?.maxLength ?? 0))) return null;
      filled[name] = secret;
    }
    return filled;
  }

  /** An approval is good for one call of the tool that it was asked for. */
  #useApproval({ approval, tool }: ToolRequest, callId: string): boolean {
    const given = this.#approved.get(callId);
    return approval !== null && given?.get(approval) === tool && given.delete(approval);
  }

  async #try(
    definition: ToolDefinition,
    leftMs: number,
    signal: AbortSignal,
    call: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<{ outcome: ToolOutcome; again: boolean }> {
    const gate = this.#gateOf(definition);
    if (!gate.enter(this.#nowMs())) return { outcome: failure('busy', false), again: false };
    const result = await this.#within(leftMs, signal, call);
    const hasEffect = definition.effect !== 'read';
    // What cannot be undone is never tried again after an answer was lost.
    const mayRepeat = definition.effect !== 'irreversible';
    gate.leave(this.#nowMs(), result.t === 'value' || (result.t === 'error' && result.error instanceof Refused));
    if (result.t === 'late') return { outcome: failure('timeout', hasEffect), again: mayRepeat };
    if (result.t === 'error') {
      const { error } = result;
      if (error instanceof Refused) return { outcome: failure('refused', false), again: false };
      if (error instanceof TooLarge) return { outcome: failure('too-large', hasEffect), again: false };
      return { outcome: failure('failed', hasEffect && !(error instanceof NotDone)), again: mayRepeat || error instanceof NotDone };
    }
    const data = fitted(result.value, definition.result);
    return data === null ? { outcome: failure('wrong-shape', hasEffect), again: false } : { outcome: { ok: true, data }, again: false };
  }

  #gateOf(definition: ToolDefinition): ToolGate {
    const key = JSON.stringify([definition.name, definition.target]);
    const known = this.#gates.get(key);
    if (known !== undefined) return known;
    const made = new ToolGate(definition);
    this.#gates.set(key, made);
    return made;
  }

  /** The call's own end and the deadline abort the work; a promise that never settles is left behind. */
  #within<T>(
    ms: number,
    outer: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<{ t: 'value'; value: T } | { t: 'error'; error: unknown } | { t: 'late' }> {
    return new Promise((resolve) => {
      const abort = new AbortController();
      const end = (result: { t: 'value'; value: T } | { t: 'error'; error: unknown } | { t: 'late' }): void => {
        stop();
        outer.removeEventListener('abort', late);
        resolve(result);
      };
      const late = (): void => {
        end({ t: 'late' });
        abort.abort(new Error('too late'));
      };
      const stop = this.#options.timers.after(ms, late);
      if (outer.aborted) {
        late();
        return;
      }
      outer.addEventListener('abort', late);
      Promise.resolve()
        .then(() => work(abort.signal))
        .then(
          (value) => end({ t: 'value', value }),
          (error: unknown) => end({ t: 'error', error }),
        );
    });
  }

  #nowMs(): number {
    return this.#options.clock.monoUs() / 1000;
  }
}

function failure(reason: Extract<ToolOutcome, { ok: false }>['reason'], mayHaveHappened: boolean): ToolOutcome {
  return { ok: false, reason, mayHaveHappened };
}

/** Where a tool is, for the operator: the server, the host or the port; no path, which may hold values. */
function placeOf(target: ToolDefinition['target']): string {
  if (target.t === 'port') return `port ${target.name}`;
  return target.t === 'mcp'
    ? `MCP server ${target.server}, tool ${target.tool}`
    : `host ${/^https?:\/\/([^/?]*)/.exec(target.url)?.[1] ?? ''}`;
}

/** Arguments with those of the call's context, which win over anything that was asked for. Null when one is missing or wrong. */
function scoped(request: ToolRequest, definition: ToolDefinition, context: CallContext): Readonly<Record<string, ToolValue>> | null {
  const given: Record<string, ToolValue> = {};
  for (const [name, field] of Object.entries(definition.arguments)) {
    if (field.context === null) {
      const value = Object.hasOwn(request.arguments, name) ? request.arguments[name] : undefined;
      if (value !== undefined) given[name] = value;
    } else if (Object.hasOwn(context, field.context)) {
      const value = context[field.context] ?? '';
      given[name] = field.type === 'number' ? Number(value) : value;
    }
  }
  return fitted(given, withHandles(definition.arguments));
}

/** A handle is longer than what it stands for: the secret itself is measured when it is there. */
function withHandles(shape: ToolShape): ToolShape {
  return Object.fromEntries(
    Object.entries(shape).map(([name, field]) => [name, field.secret ? { ...field, maxLength: HANDLE_CHARS } : field]),
  );
}
