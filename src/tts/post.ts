/** One POST over http or https: no redirects, bounded, closed the moment it is given up; to near addresses only unless a processor is named. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { ExternalProcessor } from '../contracts/index.ts';
import { nearLookup } from './hosts.ts';

export interface Post {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly external: ExternalProcessor | null;
  readonly mostBytes: number;
  readonly signal: AbortSignal;
}

export interface Posted {
  readonly status: number;
  readonly body: Buffer;
}

/** Rejects with Node's error when the connection fails, breaks off or is given up. */
export function post({ url, headers, body, external, mostBytes, signal }: Post): Promise<Posted> {
  return new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      signal,
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      ...(external === null ? { lookup: nearLookup } : {}),
    };
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, (response) => {
      bounded(response, mostBytes).then(
        (bytes) => resolve({ status: response.statusCode ?? 0, body: bytes }),
        (error: unknown) => {
          request.destroy();
          reject(error instanceof Error ? error : new Error('broke off'));
        },
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function bounded(response: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > mostBytes) throw new Error(`its answer is longer than ${mostBytes} bytes`);
    parts.push(part);
  }
  if (!response.complete) throw new Error('its answer broke off');
  return Buffer.concat(parts, length);
}
