/** Stand-ins for external engines, on loopback: they check what a client must send, and answer in the documented shape. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { speak } from '../../bench/servers/voice.ts';

export interface CloudRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export type CloudAnswer = (request: CloudRequest, response: ServerResponse) => void | Promise<void>;

export interface Cloud {
  readonly origin: string;
  readonly requests: CloudRequest[];
  /** Requests whose client left before the answer was whole. */
  readonly left: () => number;
  answer(answer: CloudAnswer): void;
  stop(): Promise<void>;
}

export async function startCloud(first: CloudAnswer): Promise<Cloud> {
  let answer = first;
  let left = 0;
  const requests: CloudRequest[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://loopback');
      const seen = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: Buffer.concat(parts),
      };
      requests.push(seen);
      response.on('close', () => {
        if (!response.writableFinished) left++;
      });
      void Promise.resolve(answer(seen, response)).catch(() => response.destroy());
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    left: () => left,
    answer: (next) => void (answer = next),
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** Says the text of either provider's request with a buzz a word, 16 kHz by name. */
export const sayIt: CloudAnswer = async (request, response) => {
  const body = JSON.parse(request.body.toString()) as { text?: string; Text?: string };
  const { pcm } = await speak(body.text ?? body.Text ?? '', 'buzz', 'en');
  const bytes = Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  response.writeHead(200, { 'content-type': 'audio/pcm' });
  // An odd cut: samples come apart on the way.
  response.write(bytes.subarray(0, 1001));
  response.end(bytes.subarray(1001));
};
