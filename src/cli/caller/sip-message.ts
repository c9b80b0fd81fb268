/**
 * SIP messages (RFC 3261) as data: parse what a stranger sent, format what we send. Bounds come first: a datagram is foreign bytes.
 * Errors: SIP_MALFORMED, with what was wrong and where.
 */
import { ParleyError } from '../../contracts/index.ts';

export interface SipHeaders {
  /** Names in lower case and long form, in order of arrival, one entry per header line. */
  readonly lines: readonly (readonly [name: string, value: string])[];
}
export interface SipRequest extends SipHeaders {
  readonly method: string;
  readonly uri: string;
  readonly body: string;
}
export interface SipResponse extends SipHeaders {
  readonly status: number;
  readonly reason: string;
  readonly body: string;
}
export type SipMessage = SipRequest | SipResponse;

export const MAX_DATAGRAM = 16_384;
const MAX_LINES = 128;
const MAX_LINE = 4096;

/** RFC 3261 7.3.3 and later: one-letter names. */
const COMPACT: Readonly<Record<string, string>> = {
  v: 'via', f: 'from', t: 'to', i: 'call-id', m: 'contact', l: 'content-length', c: 'content-type', k: 'supported', s: 'subject', e: 'content-encoding', r: 'refer-to', b: 'referred-by', x: 'session-expires',
}; // prettier-ignore
/** What every message must carry to be answered at all (8.1.1). */
const REQUIRED = ['via', 'from', 'to', 'call-id', 'cseq'];

export function isRequest(message: SipMessage): message is SipRequest {
  return 'method' in message;
}

/** Reads one datagram. Keep-alives (blank lines) give null. */
export function parseSip(datagram: Uint8Array): SipMessage | null {
  if (datagram.length > MAX_DATAGRAM) throw malformed(`${datagram.length} bytes, more than ${MAX_DATAGRAM}`);
  const text = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength).toString('utf8');
  if (text.trim() === '') return null;
  const start = text.replace(/^(?:\r?\n)+/, '');
  const split = /\r?\n\r?\n/.exec(start);
  if (split === null) throw malformed('no blank line after the headers');
  const [first = '', ...rest] = unfold(start.slice(0, split.index));
  const lines = rest.map(headerLine);
  const message = { ...startLine(first), lines, body: '' };
  for (const name of REQUIRED) if (header(message, name) === undefined) throw malformed(`no ${name} header`);
  cseq(message);
  return { ...message, body: bodyOf(message, start.slice(split.index + split[0].length)) };
}

function unfold(head: string): string[] {
  const lines = head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/);
  if (lines.length > MAX_LINES) throw malformed(`${lines.length} header lines, more than ${MAX_LINES}`);
  const long = lines.findIndex((line) => line.length > MAX_LINE);
  if (long >= 0) throw malformed(`line ${long + 1} is longer than ${MAX_LINE}`);
  return lines;
}

function startLine(line: string): { method: string; uri: string } | { status: number; reason: string } {
  const response = /^SIP\/2\.0 ([1-6]\d\d)(?: (.*))?$/i.exec(line);
  if (response !== null) return { status: Number(response[1]), reason: response[2] ?? '' };
  const request = /^([A-Z][A-Za-z0-9.!%*_+`'~-]{0,31}) (\S{1,1024}) SIP\/2\.0$/.exec(line);
  if (request !== null) return { method: request[1] ?? '', uri: request[2] ?? '' };
  throw malformed('the first line is neither a request nor a response');
}

function headerLine(line: string, index: number): readonly [string, string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
  if (!/^[a-z0-9.!%*_+`'~-]{1,64}$/.test(name)) throw malformed(`line ${index + 2} is no header`);
  return [COMPACT[name] ?? name, line.slice(colon + 1).trim()];
}

function bodyOf(message: SipMessage, rest: string): string {
  const length = header(message, 'content-length');
  if (length === undefined) return rest;
  if (!/^\d{1,6}$/.test(length)) throw malformed('content-length is no number');
  const bytes = Buffer.from(rest, 'utf8');
  if (bytes.length < Number(length)) throw malformed('the body is shorter than content-length');
  return bytes.toString('utf8', 0, Number(length));
}

function malformed(why: string): ParleyError {
  return new ParleyError('SIP_MALFORMED', `not a SIP message: ${why}`);
}

/** The first value of a header, or undefined. */
export function header(message: SipHeaders, name: string): string | undefined {
  return message.lines.find(([key]) => key === name)?.[1];
}

/** Every value of a header that may be a list: lines and commas alike, commas in quotes and angle brackets left alone. */
export function headers(message: SipHeaders, name: string): string[] {
  return message.lines.filter(([key]) => key === name).flatMap(([, value]) => splitList(value));
}

/** Splits at commas outside quotes and <...>. */
export function splitList(value: string): string[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  let depth = 0;
  for (let i = 0; i < value.length; i++) {
    const c = value.charAt(i);
    if (quoted && c === '\\') {
      part += c + value.charAt(++i);
      continue;
    }
    if (c === '"') quoted = !quoted;
    else if (!quoted && c === '<') depth++;
    else if (!quoted && c === '>') depth--;
    if (c === ',' && !quoted && depth <= 0) {
      parts.push(part.trim());
      part = '';
    } else part += c;
  }
  parts.push(part.trim());
  return parts.filter((entry) => entry !== '');
}

/** A name-addr or addr-spec with its parameters (20.10): `"Anna" <sip:100@host>;tag=1`. */
export interface SipAddress {
  readonly uri: string;
  readonly params: Readonly<Record<string, string>>;
}

export function address(value: string): SipAddress {
  const open = value.lastIndexOf('<');
  const close = value.indexOf('>', open);
  if (open >= 0 && close > open) return { uri: value.slice(open + 1, close), params: parameters(value.slice(close + 1)) };
  const semicolon = value.indexOf(';');
  return semicolon < 0
    ? { uri: value.trim(), params: {} }
    : { uri: value.slice(0, semicolon).trim(), params: parameters(value.slice(semicolon)) };
}

/** `;a=1;b` to { a: '1', b: '' }; names in lower case. Also used for Via. */
export function parameters(text: string): Readonly<Record<string, string>> {
  const entries = text.split(';').flatMap((part): [string, string][] => {
    const [name = '', ...value] = part.split('=');
    return name.trim() === '' ? [] : [[name.trim().toLowerCase(), value.join('=').trim()]];
  });
  return Object.fromEntries(entries);
}

/** Host and port of a sip: address. Default port 5060. Undefined when it is none. */
export function hostOf(uri: string): { host: string; port: number; user: string } | undefined {
  const match = /^sips?:(?:([^@;?>]*)@)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?(?:[;?].*)?$/.exec(uri);
  if (match === null) return undefined;
  const port = match[3] === undefined ? 5060 : Number(match[3]);
  if (port < 1 || port > 65_535) return undefined;
  return { host: (match[2] ?? '').replace(/^\[|\]$/g, ''), port, user: match[1] ?? '' };
}

/** CSeq's number and method. Errors: SIP_MALFORMED. */
export function cseq(message: SipHeaders): { number: number; method: string } {
  const match = /^(\d{1,10})\s+(\S{1,32})$/.exec(header(message, 'cseq') ?? '');
  if (match === null || Number(match[1]) > 0x7fff_ffff) throw malformed('cseq is not a number and a method');
  return { number: Number(match[1]), method: match[2] ?? '' };
}

export function tagOf(value: string | undefined): string {
  return address(value ?? '').params['tag'] ?? '';
}

/** Branch, host, port and parameters of the top Via. */
export function topVia(message: SipHeaders): { branch: string; sentBy: string } {
  const via = headers(message, 'via')[0] ?? '';
  const semicolon = via.indexOf(';');
  const sentBy = (semicolon < 0 ? via : via.slice(0, semicolon)).trim().split(/\s+/).at(-1) ?? '';
  return { branch: parameters(semicolon < 0 ? '' : via.slice(semicolon))['branch'] ?? '', sentBy };
}

/** Bytes for the wire; Content-Length is added here and only here. */
export function formatSip(message: SipMessage): Buffer {
  const first = isRequest(message) ? `${message.method} ${message.uri} SIP/2.0` : `SIP/2.0 ${message.status} ${message.reason}`;
  const lines = message.lines.filter(([name]) => name !== 'content-length').map(([name, value]) => `${properName(name)}: ${value}`);
  lines.push(`Content-Length: ${Buffer.byteLength(message.body)}`);
  // No value may start a line of its own, whoever made it.
  return Buffer.from([first, ...lines].map((line) => line.replace(/[\r\n]+/g, ' ')).join('\r\n') + '\r\n\r\n' + message.body);
}

function properName(name: string): string {
  if (name === 'call-id') return 'Call-ID';
  if (name === 'cseq') return 'CSeq';
  if (name === 'www-authenticate') return 'WWW-Authenticate';
  return name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
