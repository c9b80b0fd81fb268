/** What callers leave for people: where it is kept, who is told that it is there, and who may look. */
import { spawn } from 'node:child_process';
import { type DeskInbox, openInbox, type SubjectDesk } from '../audit/index.ts';
import type { Config } from '../config/index.ts';
import { type InboxGiven, type Logger, ParleyError } from '../contracts/index.ts';
import type { Act } from '../http/index.ts';
import { inboxPorts, type PortOperation, type ToolAdapter } from '../integrations/index.ts';
import { localDay } from './flows.ts';
import { masking } from './privacy.ts';
import { webTools } from './tools.ts';

export interface InboxParts {
  /** message.send and its like, for the desk of errands. */
  readonly ports: Readonly<Record<string, PortOperation>>;
  /** Tells of items whose day has come. Errors: STORE_DOWN, SPOOL_FAILED. */
  tellDue(): Promise<void>;
}

const COMMAND_LIMIT_MS = 10_000;
const MAX_TEXT = { item: 40, by: 100, note: 2000 } as const;

export type InboxAct = 'list' | 'show' | 'done';

/** Null where data.inbox keeps nothing. */
export function deskInbox(config: Config, desk: SubjectDesk): DeskInbox | null {
  const { days, basis } = config.data.inbox;
  return days === 0 || basis === null ? null : openInbox({ ...desk, days, ...masking(config) });
}

/** Errors: CONFIG_INVALID when a header of the notification's host cannot be read. */
export async function createInbox(config: Config, desk: SubjectDesk, logger: Logger): Promise<InboxParts> {
  const inbox = deskInbox(config, desk);
  if (inbox === null) return { ports: {}, tellDue: () => Promise.resolve() };
  const send = await sender(config);
  // A notification that fails loses nothing: the item is in the inbox.
  const tell = async (item: string, kind: string, why: 'received' | 'due'): Promise<void> => {
    if (send === null) return;
    try {
      await inbox.telling(item, kind, why);
      await send({ item, kind, why });
    } catch (error) {
      logger.warn('nobody was told of an item of the inbox', { item, code: error instanceof ParleyError ? error.code : 'INTERNAL' });
    }
  };
  const put = async (given: InboxGiven): Promise<{ item: string; reference: string }> => {
    const kept = await inbox.put(given);
    // A reminder is nobody's business before its day.
    if (given.due === null) void tell(kept.item, given.kind, 'received');
    return kept;
  };
  return {
    ports: inboxPorts({ put }),
    tellDue: async () => {
      if (send === null) return;
      for (const { item, kind } of await inbox.due(localDay(desk.clock.wallUs()))) await tell(item, kind, 'due');
    },
  };
}

interface News {
  readonly item: string;
  readonly kind: string;
  readonly why: string;
}

async function sender(config: Config): Promise<((news: News) => Promise<unknown>) | null> {
  const { notify } = config.inbox;
  if (notify === null) return null;
  if (notify.t === 'command') return (news) => run(notify.command, `${JSON.stringify(news)}\n`);
  const web: ToolAdapter = await webTools(config);
  const target = { t: 'http', method: 'POST', url: notify.url } as const;
  return (news) => {
    const signal = AbortSignal.timeout(COMMAND_LIMIT_MS);
    return web({ tool: 'inbox.notify', target, arguments: { ...news }, idempotencyKey: `${news.item}-${news.why}`, signal });
  };
}

async function run([program = '', ...args]: readonly string[], input: string): Promise<void> {
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'], timeout: COMMAND_LIMIT_MS });
  const ended = new Promise<number | null>((done, fail) => child.once('error', fail).once('close', done));
  // A program that does not read its input is judged by how it ends.
  child.stdin.on('error', () => undefined).end(input);
  const code = await ended;
  if (code !== 0) throw new Error(`${program} ended with ${String(code ?? 'a signal')}`);
}

/** Errors of each: CONFIG_INVALID without an inbox or for what is missing; INBOX_ITEM, CONTENT_REFUSED, STORE_DOWN, SPOOL_FAILED. */
export function inboxActs(config: Config, desk: SubjectDesk): Readonly<Record<`/v1/inbox/${InboxAct}`, Act>> {
  const inbox = (): DeskInbox => {
    const found = deskInbox(config, desk);
    if (found !== null) return found;
    throw new ParleyError('CONFIG_INVALID', `${config.file}: data.inbox.days is 0: nothing is kept for people, there is no inbox`);
  };
  return {
    '/v1/inbox/list': async (input) => ({ items: await inbox().list(input['all'] === true) }),
    '/v1/inbox/show': async (input) => inbox().show(maybe(input, 'item')),
    '/v1/inbox/done': async (input) => {
      const item = maybe(input, 'item');
      if (item === undefined) throw new ParleyError('CONFIG_INVALID', "'item' is missing, expected the id of an item");
      const by = maybe(input, 'by');
      const note = maybe(input, 'note');
      return inbox().done(item, { ...(by === undefined ? {} : { by }), ...(note === undefined ? {} : { note }) });
    },
  };
}

function maybe(input: Readonly<Record<string, unknown>>, key: keyof typeof MAX_TEXT): string | undefined {
  const value = input[key];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value !== '' && value.length <= MAX_TEXT[key]) return value;
  throw new ParleyError('CONFIG_INVALID', `'${key}' is wrong, expected a text of at most ${MAX_TEXT[key]} characters`);
}
