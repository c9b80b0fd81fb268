/**
 * Names that go to Asterisk and ids that we give there. Everything here is checked against a short list of characters:
 * a dial string, a second dialplan argument or a second header never gets through.
 */
import { isIP } from 'node:net';
import { ParleyError } from '../../contracts/index.ts';
import type { PbxCallId } from '../../contracts/index.ts';

/** The media leg and the bridge of one call. `tag` makes them new for each openMedia of the same channel. */
export interface LegIds {
  readonly mediaId: string;
  readonly bridgeId: string;
}

export interface LegNames {
  make(callId: PbxCallId, tag: string): LegIds;
  isMedia(channelId: string): boolean;
  /** The call that a media leg or bridge belongs to; undefined when the id is not one of ours. */
  callOf(id: string): PbxCallId | undefined;
  /** The id of a call that we place. */
  dialled(tag: string): PbxCallId;
  isDialled(channelId: string): boolean;
}

/** Ids start with the application's name, so two gateways on one Asterisk never sweep each other's legs. */
export function legNames(app: string): LegNames {
  const ours = new RegExp(`^${app}-(?:media|bridge)-[0-9a-f]{8}-(.+)$`, 's');
  const media = `${app}-media-`;
  const dialled = new RegExp(`^${app}-dial-[0-9a-f]{8}$`);
  return {
    make: (callId, tag) => ({ mediaId: `${media}${tag}-${callId}`, bridgeId: `${app}-bridge-${tag}-${callId}` }),
    isMedia: (channelId) => channelId.startsWith(media) && ours.test(channelId),
    callOf: (id) => ours.exec(id)?.[1],
    dialled: (tag) => `${app}-dial-${tag}`,
    isDialled: (channelId) => dialled.test(channelId),
  };
}

function bad(what: string, allowed: string): ParleyError {
  return new ParleyError('PBX_BAD_INPUT', `${what} is not allowed: ${allowed}.`);
}

export function checkContext(context: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,78}$/.test(context)) return context;
  throw bad('The dialplan context', '1 to 79 letters, digits, _ . or -');
}

export function checkExtension(extension: string): string {
  if (/^[+]?[A-Za-z0-9_*#.-]{1,78}$/.test(extension)) return extension;
  throw bad('The extension', '1 to 78 letters, digits, _ * # . or -, with at most one + in front');
}

export function checkVariable(name: string, value: string): void {
  if (!/^_{0,2}[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name)) throw bad('The name of a channel variable', 'letters, digits and _, at most 64');
  if (value.length > 1024) throw bad(`The value of ${name}`, 'at most 1024 characters');
}

/** A value as it may stand in a dialplan: no control characters, no line ends. */
export function cleanValue(value: string): string {
  return value.replace(/\p{Cc}+/gu, ' ').trim();
}

/** `host:port` as externalMedia wants it; IPv6 in brackets. */
export function checkHostPort(host: string, port: number): string {
  if (isIP(host) === 0) throw bad('The address for audio', 'an IPv4 or IPv6 address');
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw bad('The port for audio', '1 to 65535');
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
