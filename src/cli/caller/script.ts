/**
 * A caller's script as data, and the pure machine that walks it: (state, event) -> (state, effects). Time comes in the events; nothing is done here.
 */

export type Step =
  /** Until the agent has spoken (since our own last word) and then been quiet for `quietMs`. */
  | { readonly wait: 'agent-finished'; readonly quietMs?: number; readonly timeoutMs?: number }
  /** Until the agent speaks (since our own last word, or since the last wait for its end). */
  | { readonly wait: 'agent-started'; readonly timeoutMs?: number }
  /** Until the other side hangs up. */
  | { readonly wait: 'hangup'; readonly timeoutMs?: number }
  | { readonly say: string }
  | { readonly keys: string }
  /** Talks into the agent: `afterMs` after the agent began to speak. */
  | { readonly interrupt: { readonly afterMs: number; readonly say: string }; readonly timeoutMs?: number }
  | { readonly pauseMs: number }
  | { readonly hangup: true };
export type Script = readonly Step[];

/** `atMs` of all events is one monotonic clock. */
export type ScriptEvent =
  /** The call is up. */
  | { readonly t: 'begin'; readonly atMs: number }
  | { readonly t: 'tick'; readonly atMs: number }
  /** A packet of the agent: is it speech, and how much time does it cover? */
  | { readonly t: 'heard'; readonly atMs: number; readonly voiced: boolean; readonly durationMs: number }
  /** What we were told to say or press has left. */
  | { readonly t: 'spoken'; readonly atMs: number };
export type ScriptEffect =
  | { readonly t: 'say'; readonly text: string; readonly step: number }
  | { readonly t: 'press'; readonly keys: string; readonly step: number }
  | { readonly t: 'hangup' }
  /** A wait was in vain. The caller hangs up. */
  | { readonly t: 'timeout'; readonly step: number };

export interface ScriptState {
  readonly script: Script;
  readonly step: number;
  /** When this step began. */
  readonly sinceMs: number;
  readonly phase: 'idle' | 'waiting' | 'speaking' | 'over';
  /** Agent speech since our own last word. */
  readonly talk: { readonly voicedMs: number; readonly startedMs: number; readonly lastMs: number } | null;
}

export const DEFAULT_QUIET_MS = 700;
export const DEFAULT_TIMEOUT_MS = 15_000;
/** Shorter noises than this are not taken for an answer. */
const MIN_TALK_MS = 100;

interface Advance {
  readonly state: ScriptState;
  readonly effects: readonly ScriptEffect[];
}

export function beginScript(script: Script): ScriptState {
  return { script, step: 0, sinceMs: 0, phase: 'idle', talk: null };
}

export function advance(state: ScriptState, event: ScriptEvent): Advance {
  if (state.phase === 'over') return { state, effects: [] };
  if (state.phase === 'idle') return event.t === 'begin' ? enter({ ...state, phase: 'waiting' }, 0, event.atMs) : { state, effects: [] };
  if (event.t === 'spoken') {
    // What the agent said meanwhile was no answer to this.
    return state.phase === 'speaking' ? enter({ ...state, talk: null }, state.step + 1, event.atMs) : { state, effects: [] };
  }
  const heard = event.t === 'heard' && event.voiced ? { ...state, talk: longer(state.talk, event.atMs, event.durationMs) } : state;
  return heard.phase === 'waiting' ? settle(heard, event.atMs) : { state: heard, effects: [] };
}

/** Starts step `index`, and runs through all steps that need no waiting. */
function enter(state: ScriptState, index: number, atMs: number): Advance {
  const step = state.script[index];
  const here: ScriptState = { ...state, step: index, sinceMs: atMs, phase: 'waiting' };
  if (step === undefined || 'hangup' in step) return { state: { ...here, phase: 'over' }, effects: [{ t: 'hangup' }] };
  if ('say' in step) return { state: { ...here, phase: 'speaking' }, effects: [{ t: 'say', text: step.say, step: index }] };
  if ('keys' in step) return { state: { ...here, phase: 'speaking' }, effects: [{ t: 'press', keys: step.keys, step: index }] };
  return settle(here, atMs);
}

type WaitingStep = Extract<Step, { wait: unknown } | { interrupt: unknown } | { pauseMs: unknown }>;

/** Is what this step waits for there? */
function settle(state: ScriptState, atMs: number): Advance {
  const step = state.script[state.step];
  if (step === undefined || 'say' in step || 'keys' in step || 'hangup' in step) return { state, effects: [] };
  if (!arrived(step, state, atMs))
    return inVain(step, state, atMs)
      ? { state: { ...state, phase: 'over' }, effects: [{ t: 'timeout', step: state.step }] }
      : { state, effects: [] };
  if ('interrupt' in step)
    return { state: { ...state, phase: 'speaking', sinceMs: atMs }, effects: [{ t: 'say', text: step.interrupt.say, step: state.step }] };
  // What was waited for to its end is used up; the next wait is for something new.
  const talk = 'wait' in step && step.wait === 'agent-finished' ? null : state.talk;
  return enter({ ...state, talk }, state.step + 1, atMs);
}

function arrived(step: WaitingStep, state: ScriptState, atMs: number): boolean {
  if ('pauseMs' in step) return atMs - state.sinceMs >= step.pauseMs;
  if (state.talk === null || state.talk.voicedMs < MIN_TALK_MS) return false;
  if ('interrupt' in step) return atMs - state.talk.startedMs >= step.interrupt.afterMs;
  if (step.wait === 'agent-finished') return atMs - state.talk.lastMs >= (step.quietMs ?? DEFAULT_QUIET_MS);
  return step.wait === 'agent-started';
}

function inVain(step: WaitingStep, state: ScriptState, atMs: number): boolean {
  return !('pauseMs' in step) && atMs - state.sinceMs >= (step.timeoutMs ?? DEFAULT_TIMEOUT_MS);
}

function longer(talk: ScriptState['talk'], atMs: number, durationMs: number): ScriptState['talk'] {
  return talk === null
    ? { voicedMs: durationMs, startedMs: atMs, lastMs: atMs + durationMs }
    : { ...talk, voicedMs: talk.voicedMs + durationMs, lastMs: atMs + durationMs };
}

/** Every text that the script may say. */
export function linesOf(script: Script): string[] {
  return script.flatMap((step) => ('say' in step ? [step.say] : 'interrupt' in step ? [step.interrupt.say] : []));
}

/** A step in words, for messages: never the caller's own words. */
export function describeStep(script: Script, index: number): string {
  const step = script[index];
  if (step === undefined) return `step ${index + 1} (end of script)`;
  return `step ${index + 1} (${'wait' in step ? `wait for ${step.wait}` : (Object.keys(step)[0] ?? 'empty')})`;
}
