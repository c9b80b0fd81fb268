/** Puts streamed pieces of tool calls together. Bounded, because the pieces come from outside. */
import { ParleyError, type ChatDelta, type ToolCall } from '../../contracts/index.ts';

const MAX_CALLS = 32;
const MAX_ARGUMENT_CHARS = 64 * 1024;

export interface ToolCallPiece {
  readonly index?: number | undefined;
  readonly id?: string | null | undefined;
  readonly name?: string | null | undefined;
  readonly arguments?: string | null | undefined;
}

interface Draft {
  id: string;
  name: string;
  arguments: string;
  started: boolean;
}

export class ToolCallAssembler {
  readonly #where: string;
  readonly #drafts = new Map<number, Draft>();
  #last = -1;

  constructor(where: string) {
    this.#where = where;
  }

  get size(): number {
    return this.#drafts.size;
  }

  /** Answers tool-start once the name is whole. Errors: LLM_BAD_OUTPUT when there is too much. */
  add(piece: ToolCallPiece): ChatDelta[] {
    const index = this.#indexOf(piece);
    const draft = this.#drafts.get(index) ?? { id: '', name: '', arguments: '', started: false };
    const closed = index === this.#last || this.#last < 0 ? [] : this.#start(this.#last);
    this.#drafts.set(index, draft);
    this.#last = index;
    if (typeof piece.id === 'string' && piece.id !== '') draft.id = piece.id;
    draft.name += piece.name ?? '';
    draft.arguments += piece.arguments ?? '';
    this.#bound(draft);
    return draft.arguments === '' ? closed : [...closed, ...this.#start(index)];
  }

  /** Some servers leave the index out: a new id begins a new call, no id goes on with the last one. */
  #indexOf({ index, id }: ToolCallPiece): number {
    return index ?? (typeof id === 'string' && id !== '' ? this.#drafts.size : Math.max(this.#last, 0));
  }

  #bound(draft: Draft): void {
    if (this.#drafts.size > MAX_CALLS || draft.arguments.length > MAX_ARGUMENT_CHARS || draft.name.length > 256) {
      throw new ParleyError('LLM_BAD_OUTPUT', `${this.#where} made too many or too long tool calls`);
    }
  }

  /** All calls in order. Errors: LLM_BAD_OUTPUT when arguments are no JSON object or a name is missing. */
  finish(): ChatDelta[] {
    const deltas: ChatDelta[] = [];
    for (const [index, draft] of [...this.#drafts].sort(([a], [b]) => a - b)) {
      deltas.push(...this.#start(index), { t: 'tool-call', call: this.#whole(index, draft) });
    }
    this.#drafts.clear();
    this.#last = -1;
    return deltas;
  }

  #start(index: number): ChatDelta[] {
    const draft = this.#drafts.get(index);
    if (draft === undefined || draft.started || draft.name === '') return [];
    draft.started = true;
    return [{ t: 'tool-start', name: draft.name }];
  }

  #whole(index: number, draft: Draft): ToolCall {
    if (draft.name === '') throw new ParleyError('LLM_BAD_OUTPUT', `${this.#where} made a tool call without a name`);
    return { id: draft.id === '' ? `call-${index}` : draft.id, name: draft.name, arguments: parseArguments(draft.arguments, this.#where) };
  }
}

/** Errors: LLM_BAD_OUTPUT. The parser's message would quote the arguments, so it is not kept. */
function parseArguments(text: string, where: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = text.trim() === '' ? {} : JSON.parse(text);
  } catch {
    value = null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ParleyError('LLM_BAD_OUTPUT', `${where} made a tool call whose arguments are no JSON object`);
  return value as Record<string, unknown>;
}
