/** The little of SDP (RFC 4566, 3264) that one audio stream of G.711 and keys needs. */
import { ParleyError } from '../../contracts/index.ts';
import type { Law } from './g711.ts';

/** Where and how the other side wants its audio. */
export interface RemoteMedia {
  readonly host: string;
  readonly port: number;
  readonly law: Law;
  /** Payload type of telephone-event, or undefined when it takes no keys. */
  readonly keysType: number | undefined;
  /** The other side's own view: does it send, does it listen? */
  readonly sends: boolean;
  readonly listens: boolean;
}
export interface LocalMedia {
  readonly host: string;
  readonly port: number;
  /** Laws in order of preference. */
  readonly laws: readonly Law[];
  readonly keysType: number;
  /** Counts up with each new description of the same call. */
  readonly version: number;
  readonly direction: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
}

export const PAYLOAD_TYPE: Readonly<Record<Law, number>> = { ulaw: 0, alaw: 8 };
const NAME: Readonly<Record<Law, string>> = { ulaw: 'PCMU', alaw: 'PCMA' };
/** Payload type that we offer for keys. */
export const DEFAULT_KEYS_TYPE = 101;
const MAX_SDP_LINES = 256;

export function writeSdp(local: LocalMedia): string {
  const family = local.host.includes(':') ? 'IP6' : 'IP4';
  const types = [...local.laws.map((law) => PAYLOAD_TYPE[law]), local.keysType];
  return [
    'v=0',
    `o=caller 1 ${local.version} IN ${family} ${local.host}`,
    's=-',
    `c=IN ${family} ${local.host}`,
    't=0 0',
    `m=audio ${local.port} RTP/AVP ${types.join(' ')}`,
    ...local.laws.map((law) => `a=rtpmap:${PAYLOAD_TYPE[law]} ${NAME[law]}/8000`),
    `a=rtpmap:${local.keysType} telephone-event/8000`,
    `a=fmtp:${local.keysType} 0-15`,
    'a=ptime:20',
    `a=${local.direction}`,
    '',
  ].join('\r\n');
}

/** Reads an offer or an answer. Errors: CALLER_FAILED when there is no audio stream that we can take part in. */
export function readSdp(text: string, laws: readonly Law[]): RemoteMedia {
  const lines = text.split(/\r?\n/, MAX_SDP_LINES);
  const audio = lines.findIndex((line) => line.startsWith('m=audio '));
  if (audio < 0) throw unusable('it has no audio');
  const next = lines.findIndex((line, index) => index > audio && line.startsWith('m='));
  const stream = lines.slice(audio, next < 0 ? undefined : next);
  const session = lines.slice(
    0,
    lines.findIndex((line) => line.startsWith('m=')),
  );
  const match = /^m=audio (\d{1,5})(?:\/\d+)? RTP\/AVP ([\d ]{1,200})$/.exec((lines[audio] ?? '').trim());
  if (match === null) throw unusable('its audio is not RTP/AVP');
  const port = Number(match[1]);
  if (port === 0 || port > 65_535) throw unusable('its audio is switched off');
  const types = (match[2] ?? '').trim().split(/ +/).map(Number);
  const law = pickLaw(types, laws);
  if (law === undefined) throw unusable('it offers none of our codecs');
  const connection = [...stream, ...session]
    .map((line) => /^c=IN IP[46] ([0-9A-Fa-f:.]{2,45})/.exec(line)?.[1])
    .find((host) => host !== undefined);
  if (connection === undefined) throw unusable('it names no numeric address');
  const direction =
    [...stream, ...session]
      .map((line) => /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/.exec(line)?.[1])
      .find((word) => word !== undefined) ?? 'sendrecv';
  return {
    host: connection,
    port,
    law,
    keysType: keysTypeOf(stream, types),
    sends: direction === 'sendrecv' || direction === 'sendonly',
    // 0.0.0.0 is the old way (RFC 2543) to put a call on hold.
    listens: (direction === 'sendrecv' || direction === 'recvonly') && connection !== '0.0.0.0',
  };
}

/** The first type of theirs that is ours too: an answer's order is the answerer's choice. */
function pickLaw(types: readonly number[], laws: readonly Law[]): Law | undefined {
  return types.map((type) => laws.find((law) => PAYLOAD_TYPE[law] === type)).find((law) => law !== undefined);
}

function keysTypeOf(stream: readonly string[], types: readonly number[]): number | undefined {
  const line = stream.map((text) => /^a=rtpmap:(\d{1,3}) telephone-event\/8000/i.exec(text)?.[1]).find((type) => type !== undefined);
  return line !== undefined && types.includes(Number(line)) ? Number(line) : undefined;
}

function unusable(why: string): ParleyError {
  return new ParleyError('CALLER_FAILED', `the other side's media description cannot be used: ${why}`);
}
