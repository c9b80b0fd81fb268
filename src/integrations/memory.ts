/** Ports of Parley that need no outside system, kept in memory: what tests, demonstrations and small houses start with. */
import type { ToolValue } from '../contracts/index.ts';
import { Refused, type ToolAdapter } from './ports.ts';

type Given = Readonly<Record<string, ToolValue>>;

export interface CallAbout {
  readonly callId: string;
  /** The number that calls, where it is known. */
  readonly caller?: string;
}

/** One operation of a port; `key` makes an act that is repeated the same act; `about`: which call it is for. */
export type PortOperation = (given: Given, key: string, signal: AbortSignal, about?: CallAbout) => Promise<unknown>;

export function portTools(operations: Readonly<Record<string, PortOperation>>): ToolAdapter {
  return async ({ target, arguments: given, idempotencyKey, signal, callId, caller }) => {
    const operation = target.t === 'port' && Object.hasOwn(operations, target.name) ? operations[target.name] : undefined;
    if (operation === undefined) throw new Refused('there is no such port');
    return operation(
      given,
      idempotencyKey,
      signal,
      ...(callId === undefined ? [] : [{ callId, ...(caller === undefined ? {} : { caller }) }]),
    );
  };
}

/** What was done, by idempotency key: the same key never does it twice. */
export class MemoryOutbox {
  readonly done = new Map<string, { readonly kind: string; readonly given: Given }>();

  add(kind: string): PortOperation {
    return (given, key) => {
      if (!this.done.has(key)) this.done.set(key, { kind, given });
      return Promise.resolve({ done: true });
    };
  }
}

export interface Person {
  readonly name: string;
  readonly desk: string;
}

/** directory.find: who has this name, and at which desk. A part of a name is enough while it means one desk. */
export function directoryPort(people: readonly Person[]): PortOperation {
  return ({ name }) => {
    const wanted = wordsOf(String(name));
    const fits = people.filter((person) => {
      const words = wordsOf(person.name);
      return wanted.length > 0 && (wanted.every((word) => words.includes(word)) || words.every((word) => wanted.includes(word)));
    });
    const [found] = fits;
    const isOne = found !== undefined && fits.every(({ desk }) => desk === found.desk);
    return Promise.resolve(isOne ? { found: true, ...found } : { found: false, name: '', desk: '' });
  };
}

const wordsOf = (text: string): readonly string[] =>
  text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');

/** directory.find, message.send, callback.request, crm.note. */
export function memoryPorts(people: readonly Person[], outbox: MemoryOutbox): Readonly<Record<string, PortOperation>> {
  return {
    'directory.find': directoryPort(people),
    'message.send': outbox.add('message'),
    'callback.request': outbox.add('callback'),
    'crm.note': outbox.add('note'),
  };
}
