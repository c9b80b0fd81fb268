/**
 * Prompts whose beginning never changes, because a server reads a beginning that it has read before for nothing: persona and tools, then
 * history, then the caller's words, and what changes from turn to turn (time, open slots, findings) behind them, in the same message, since
 * many chat templates know no system message in the middle.
 *
 *   [persona] [tools] [turn 1] ... [turn n-1] [caller's words][volatile] [tool steps of this turn]
 *    same bytes in every turn of the call       new
 */
import type { ChatMessage, JsonSchema, ToolSpec } from '../../contracts/index.ts';
import { cleanText } from './clean-text.ts';

export interface PromptParts {
  /** Who speaks, rules, language. Nothing of this call, no date, no time. */
  readonly persona: string;
  readonly tools: readonly ToolSpec[];
  /** Finished turns, oldest first, as they were heard. */
  readonly history: readonly ChatMessage[];
  /** What the caller said now, then this turn's tool calls and their results. Empty: the agent speaks first. */
  readonly turn: readonly ChatMessage[];
  /** Lines that hold for this turn only. Keep them the same during the tool steps of a turn. */
  readonly volatile: readonly string[];
}

export interface PromptLimits {
  /** History above this loses its oldest turns down to half of it, so that the beginning then rests for many turns. */
  readonly historyChars: number;
  /** Longest single message of caller, model or tool; the rest of it is left out. */
  readonly messageChars: number;
}

export const PROMPT_LIMITS: PromptLimits = { historyChars: 16_000, messageChars: 4_000 };

export interface Prompt {
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly ToolSpec[];
  /** Messages of the history that were left out. */
  readonly dropped: number;
}

export function buildPrompt(parts: PromptParts, limits: PromptLimits = PROMPT_LIMITS): Prompt {
  const history = parts.history.map((message) => tidy(message, limits));
  const kept = keepFrom(history, limits);
  const [words, ...steps] = parts.turn[0]?.role === 'user' ? parts.turn : [{ role: 'user' as const, text: '' }, ...parts.turn];
  const said = words === undefined ? '' : tidy(words, limits).text;
  const now = parts.volatile.map(cleanText).join('\n');
  const user: ChatMessage = { role: 'user', text: now === '' ? said : `${said}${VOLATILE_MARK}${now}` };
  return {
    messages: [
      { role: 'system', text: cleanText(parts.persona) },
      ...history.slice(kept),
      user,
      ...steps.map((message) => tidy(message, limits)),
    ],
    tools: stableTools(parts.tools),
    dropped: kept,
  };
}

/** The same beginning with nothing said yet: sent ahead while it rings and after each turn, so that the caller's words are all that is left to read. */
export function warmPrompt(parts: Omit<PromptParts, 'turn' | 'volatile'>, limits: PromptLimits = PROMPT_LIMITS): Prompt {
  return buildPrompt({ ...parts, turn: [], volatile: [] }, limits);
}

const VOLATILE_MARK = '\n\n[now]\n';

function tidy(message: ChatMessage, limits: PromptLimits): ChatMessage {
  return { ...message, text: cleanText(message.text).slice(0, limits.messageChars) };
}

/**
 * Index of the first message that is kept. A fold over the history in order, so a longer history gives the same answer until the next time
 * that it overflows. What is kept begins with the caller: a tool result without its call is refused by servers.
 */
function keepFrom(history: readonly ChatMessage[], limits: PromptLimits): number {
  let from = 0;
  let size = 0;
  history.forEach((message, index) => {
    size += sizeOf(message);
    if (size <= limits.historyChars) return;
    while (from < index && (size > limits.historyChars / 2 || history[from]?.role !== 'user')) size -= sizeOf(history[from++]);
  });
  return from;
}

function sizeOf(message: ChatMessage | undefined): number {
  if (message === undefined) return 0;
  const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : [];
  return message.text.length + (calls.length === 0 ? 0 : JSON.stringify(calls).length);
}

/** By name, keys in order: the same tools are the same bytes wherever they came from. */
export function stableTools(tools: readonly ToolSpec[]): readonly ToolSpec[] {
  return [...tools]
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ name, description, parameters }) => ({ name, description, parameters: sortedKeys(parameters) as JsonSchema }));
}

function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, inner]) => [key, sortedKeys(inner)]),
  );
}
