/** Calls of plain HTTP tools, through the one way out (egress.ts). 64 KiB at most. */
import type { ToolValue } from '../contracts/index.ts';
import { type Answer, type Egress, sendPinned } from './egress.ts';
import { MAX_RESULT_BYTES, Refused, type ToolAdapter } from './ports.ts';

export interface HttpToolOptions extends Egress {
  /** Headers by host: keys and tokens, from secret files. */
  readonly headers?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export function httpTools(options: HttpToolOptions): ToolAdapter {
  return async ({ target, arguments: given, idempotencyKey, signal }) => {
    if (target.t !== 'http') throw new Refused('this is no HTTP tool');
    const { url, rest } = filled(target.url, given);
    const hasBody = target.method !== 'GET' && target.method !== 'DELETE';
    const { names = {}, query = [] } = target;
    const fields: Record<string, ToolValue> = {};
    for (const [argument, value] of Object.entries(rest)) {
      const name = names[argument] ?? argument;
      if (hasBody && !query.includes(argument)) fields[name] = value;
      else url.searchParams.set(name, String(value));
    }
    const body = hasBody ? JSON.stringify(fields) : null;
    const headers = {
      accept: 'application/json',
      'idempotency-key': idempotencyKey,
      ...(body === null ? {} : { 'content-type': 'application/json' }),
      ...headersFor(url, options.headers),
    };
    return jsonOf(await sendPinned(url, { method: target.method, headers, body, signal, maxBytes: MAX_RESULT_BYTES }, options));
  };
}

/** Keys and tokens of a host, listed with its port or without. */
export function headersFor(url: URL, byHost: HttpToolOptions['headers']): Readonly<Record<string, string>> {
  return byHost?.[url.host] ?? byHost?.[url.hostname.replace(/^\[|\]$/g, '')] ?? {};
}

/** The object of a good answer. A status that will not change is a refusal. */
export function jsonOf({ status, text }: Answer): unknown {
  if (status < 200 || status > 299) {
    const isFinal = status >= 300 && status < 500 && status !== 429 && status !== 408;
    throw isFinal ? new Refused(`status ${status}`) : new Error(`status ${status}`);
  }
  return text === '' ? {} : (JSON.parse(text) as unknown);
}

/** Arguments fill their places in the path, percent-encoded; the others are left for query or body. */
function filled(template: string, given: Readonly<Record<string, ToolValue>>): { url: URL; rest: Record<string, ToolValue> } {
  const rest = { ...given };
  const text = template.replace(/\{([a-z0-9_]+)\}/g, (_, name: string) => {
    const value = String(given[name] ?? '');
    rest[name] = '';
    // A part of a path that is only dots would climb.
    if (/^\.*$/.test(value)) throw new Refused('an argument is no part of an address');
    return encodeURIComponent(value);
  });
  const used = new Set([...template.matchAll(/\{([a-z0-9_]+)\}/g)].map(([, name]) => name));
  return { url: new URL(text), rest: Object.fromEntries(Object.entries(rest).filter(([name]) => !used.has(name))) };
}
