/** A channel of Asterisk as a call of ours. Pure. Everything a caller or a dialplan can choose is bounded here. */
import type { PbxCall } from '../../contracts/index.ts';
import type { AriChannel } from './ari-types.ts';
import { isRecord } from './ari-wire.ts';

const MAX_ARGS = 32;
const MAX_ARG_CHARS = 512;
const MAX_PARTY_CHARS = 128;

export interface ParsedArgs {
  readonly args: Readonly<Record<string, string>>;
  /** Arguments without `=`, with a bad name, too long, given twice, or beyond the 32nd. */
  readonly ignored: number;
}

/** `['flow=booking', 'branch=berlin']` → `{flow: 'booking', branch: 'berlin'}`. The first of two equal names counts. */
export function parseArgs(list: readonly string[]): ParsedArgs {
  const found = new Map<string, string>();
  let ignored = 0;
  for (const [index, item] of list.entries()) {
    if (item === '') continue;
    const match = /^\s*([A-Za-z][A-Za-z0-9_.-]{0,63})\s*=(.*)$/s.exec(item);
    const name = match?.[1];
    const value = match?.[2];
    if (name === undefined || value === undefined || value.length > MAX_ARG_CHARS || index >= MAX_ARGS || found.has(name)) ignored++;
    else found.set(name, value.trim());
  }
  return { args: Object.fromEntries(found), ignored };
}

function party(value: unknown): string {
  return typeof value === 'string' ? value.replace(/\p{Cc}+/gu, ' ').slice(0, MAX_PARTY_CHARS) : '';
}

/** `to=` among the arguments wins over the extension: for a Stasis line in a subroutine, where the extension is another. */
export function callOf(channel: AriChannel, args: Readonly<Record<string, string>>): PbxCall {
  const caller: unknown = channel.caller;
  const dialplan: unknown = channel.dialplan;
  return {
    id: channel.id,
    direction: 'inbound',
    from: { number: isRecord(caller) ? party(caller['number']) : '', name: isRecord(caller) ? party(caller['name']) : '' },
    to: args['to'] ?? (isRecord(dialplan) ? party(dialplan['exten']) : ''),
    args,
    state: channel.state === 'Up' ? 'up' : 'ringing',
  };
}

/**
 * What a channel is doing in our application right now, from a list of channels: the arguments of its Stasis line,
 * or undefined when it is elsewhere in the dialplan. Used after a reconnect, where no StasisStart comes again.
 */
export function stasisArgs(channel: AriChannel, app: string): readonly string[] | undefined {
  const dialplan: unknown = channel.dialplan;
  if (!isRecord(dialplan) || dialplan['app_name'] !== 'Stasis' || typeof dialplan['app_data'] !== 'string') return undefined;
  const [name, ...rest] = dialplan['app_data'].split(',');
  return name?.trim() === app ? rest : undefined;
}
