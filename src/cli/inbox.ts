/** `parley inbox list | show | done`: what callers left for people. */
import type { InboxItem, InboxLine } from '../contracts/index.ts';
import type { InboxAct } from '../parts/index.ts';
import { perform } from './acts.ts';
import { EXIT } from './exit.ts';

export interface InboxCommand {
  readonly config: string;
  readonly all?: boolean;
  readonly json?: boolean;
  readonly by?: string;
  readonly note?: string;
}

export async function inboxList(options: InboxCommand): Promise<number> {
  const { items } = (await act(options, 'list', options.all === true ? { all: true } : {})) as { items: readonly InboxLine[] };
  for (const item of items) console.log(options.json === true ? JSON.stringify(item) : headOf(item));
  if (options.json !== true) console.error(items.length === 0 ? 'nothing is open' : `${items.length} items; parley inbox show opens them`);
  return EXIT.ok;
}

export async function inboxShow(item: string | undefined, options: InboxCommand): Promise<number> {
  const shown = await act(options, 'show', item === undefined ? {} : { item });
  const { items, request } = shown as { items: readonly InboxItem[]; request: string };
  for (const one of items) {
    if (options.json === true) console.log(JSON.stringify(one));
    else console.log([headOf(one), ...linesOf(one), ''].join('\n'));
  }
  console.error(`${items.length} items; the log names this reading as request ${request}`);
  return EXIT.ok;
}

export async function inboxDone(item: string, options: InboxCommand): Promise<number> {
  const { by, note } = options;
  const given = { item, ...(by === undefined ? {} : { by }), ...(note === undefined ? {} : { note }) };
  const { done, item: id } = (await act(options, 'done', given)) as { done: boolean; item: string };
  console.log(done ? `${id} is done` : `${id} was done before`);
  return EXIT.ok;
}

function act({ config }: InboxCommand, name: InboxAct, input: Record<string, string | boolean>): Promise<unknown> {
  return perform(config, `/v1/inbox/${name}`, input);
}

/** Eight signs of the id are enough to name it. */
function headOf({ item, reference, kind, atUs, due, doneUs, restricted }: InboxLine): string {
  const at = new Date(atUs / 1000).toISOString().slice(0, 16).replace('T', ' ');
  const more = [due === null ? '' : `due ${due}`, doneUs === null ? '' : 'done', restricted ? 'not to be used' : ''].filter(Boolean);
  return [`${item.slice(0, 8)}  ${reference}  ${at} UTC  ${kind}`, ...more].join('  ');
}

function linesOf({ from, fields }: InboxItem): string[] {
  const said = Object.entries({ caller: from === '' ? 'withheld' : from, ...fields });
  return said.map(([name, text]) => `  ${name}: ${text}`);
}
