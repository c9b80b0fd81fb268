/**
 * The events WebSocket of ARI as text: what comes in, told apart, and requests as they go out. Pure.
 * A message that cannot be read is an answer too ('garbage'), never an exception: the PBX is foreign input.
 */
import { ARI_EVENT_TYPES } from './ari-types.ts';
import type { AriChannel, AriEvent, AriOperations } from './ari-types.ts';

export type AriOperation = keyof AriOperations;
export type AriResult<O extends AriOperation> = AriOperations[O]['result'];
export type AriQuery<O extends AriOperation> = AriOperations[O]['query'];

type Nothing = Readonly<Record<string, never>>;
/** Path parameters are required exactly where the operation has some; so is a query that has required members. */
export type AriArguments<O extends AriOperation> = ([AriOperations[O]['path']] extends [never]
  ? { readonly path?: undefined }
  : { readonly path: Readonly<Record<AriOperations[O]['path'], string>> }) &
  (Nothing extends AriQuery<O> ? { readonly query?: AriQuery<O> } : { readonly query: AriQuery<O> });

/** One request, ready for either transport. `target` is path and query, relative to `/ari`. */
export interface AriRequest {
  readonly method: string;
  readonly target: string;
}

/** Status as in HTTP; `body` is parsed JSON, or undefined when there was none. */
export interface AriReply {
  readonly status: number;
  readonly reason: string;
  readonly body: unknown;
}

export type AriMessage =
  | { readonly t: 'event'; readonly event: AriEvent }
  | { readonly t: 'unknown-event' }
  | { readonly t: 'reply'; readonly requestId: string; readonly reply: AriReply }
  | { readonly t: 'garbage' };

const KNOWN: ReadonlySet<string> = new Set(ARI_EVENT_TYPES);

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Every value is percent-encoded, so nothing in an id or a variable can change the request. */
export function buildRequest(
  operation: AriOperation,
  path: Readonly<Record<string, string>> = {},
  query: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>> = {},
): AriRequest {
  const [method = '', template = ''] = operation.split(' ');
  const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? ''));
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined
      ? []
      : [`${encodeURIComponent(name)}=${encodeURIComponent(Array.isArray(value) ? value.join(',') : String(value))}`],
  );
  return { method, target: pairs.length === 0 ? filled : `${filled}?${pairs.join('&')}` };
}

/** REST over the events socket: Asterisk answers with a RESTResponse that carries the same ids. */
export function encodeRequest(requestId: string, request: AriRequest): string {
  return JSON.stringify({
    type: 'RESTRequest',
    transaction_id: requestId,
    request_id: requestId,
    method: request.method,
    uri: request.target.slice(1),
  });
}

export function parseBody(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function decodeMessage(text: string): AriMessage {
  const value = parseBody(text);
  if (!isRecord(value) || typeof value['type'] !== 'string') return { t: 'garbage' };
  if (value['type'] === 'RESTResponse') {
    const { request_id: requestId, status_code: status, reason_phrase: reason, message_body: body } = value;
    if (typeof requestId !== 'string' || typeof status !== 'number') return { t: 'garbage' };
    return {
      t: 'reply',
      requestId,
      reply: {
        status,
        reason: typeof reason === 'string' ? reason : '',
        body: typeof body === 'string' ? parseBody(body) : undefined,
      },
    };
  }
  return KNOWN.has(value['type']) ? { t: 'event', event: value as unknown as AriEvent } : { t: 'unknown-event' };
}

/** True when the value has what we read of a channel. Everything else in it may be missing. */
export function isChannel(value: unknown): value is AriChannel {
  return isRecord(value) && typeof value['id'] === 'string' && value['id'] !== '' && value['id'].length <= 150;
}
