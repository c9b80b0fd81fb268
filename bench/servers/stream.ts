/** Sends a scripted answer in pieces, at the times that the queue gives, with the fault that the script asks for. */
import type { ServerResponse } from 'node:http';
import type { Call, Part, Reply, SeenRequest } from './calls.ts';
import { CLAUSE_TOKENS } from './draws.ts';
import { sendJson, type Exchange } from './http.ts';

/** How one protocol writes an answer. */
export interface Wire {
  readonly contentType: string;
  part(part: Part, index: number): string;
  /** Everything after the last part. */
  end(reply: Reply, parts: readonly Part[]): string;
  readonly wrongShape: string;
  readonly errorInside: string;
  readonly errorBody: (status: number) => unknown;
  /** Begins a line that will never end. */
  readonly lineStart: string;
}

export function partsOf(reply: Reply): readonly Part[] {
  if (typeof reply.parts !== 'string') return reply.parts;
  return (reply.parts.match(/\s*\S+/g) ?? []).map((text) => ({ text }));
}

/** Watches for the client to leave, for the whole life of one request. */
export function watch(exchange: Exchange, body: unknown): SeenRequest {
  const { call, path, request, response } = exchange;
  const seen: SeenRequest = {
    path,
    body,
    authorization: request.headers.authorization ?? null,
    sentParts: 0,
    state: 'open',
    closedNs: null,
    clientPort: request.socket.remotePort ?? 0,
  };
  response.on('close', () => {
    if (seen.state !== 'open') return;
    seen.closedNs = String(process.hrtime.bigint());
    seen.state = 'closed';
    call.changed();
  });
  return call.see(seen);
}

export function finish(call: Call, seen: SeenRequest): void {
  if (seen.state === 'open') seen.state = 'finished';
  call.changed();
}

export function sendReply(exchange: Exchange, seen: SeenRequest, reply: Reply, wire: Wire): void {
  const { response, setting, call } = exchange;
  if (reply.fault === 'never') return;
  if (answerWrong(exchange, seen, reply, wire)) return;
  const parts = partsOf(reply);
  const draws = call.draws('llm');
  const firstMs = draws.serviceMs(setting.profile.llmFirst);
  const gapMs = draws.serviceMs(setting.profile.llmClause) / CLAUSE_TOKENS;
  const cutAfter =
    reply.fault === 'half' || reply.fault === 'cut' || reply.fault === 'error-inside' ? Math.floor(parts.length / 2) : Infinity;

  const send = (index: number): void => {
    const part = parts[index];
    if (seen.state !== 'open') return;
    if (!response.headersSent) response.writeHead(200, { 'content-type': wire.contentType });
    if (index >= cutAfter) return breakOff(response, reply, wire, () => finish(call, seen));
    if (part !== undefined) {
      write(response, wire.part(reply.stamp === true ? { text: `${process.hrtime.bigint()} ` } : part, index), reply);
      seen.sentParts++;
      call.changed();
    }
    if (index < parts.length) return;
    write(response, wire.end(reply, parts), reply);
    finish(call, seen);
    response.end();
  };
  const schedule = (from: number, to: number, done: () => void): void => {
    const offsets = Array.from({ length: to - from }, (_, i) => (from === 0 ? firstMs : gapMs) + i * gapMs);
    // No engine time: nothing to share.
    if (offsets.every((ms) => ms === 0)) {
      for (let index = from; index < to; index++) send(index);
      return done();
    }
    const giveUp = setting.queue.run(offsets, (index) => {
      send(from + index);
      if (from + index === to - 1) done();
    });
    response.on('close', giveUp);
  };
  const go = (): void => {
    const hold = reply.holdAfter;
    if (hold === undefined || hold >= parts.length) return schedule(0, parts.length + 1, () => undefined);
    schedule(0, hold, () => call.hold(() => schedule(hold, parts.length + 1, () => undefined)));
  };
  if (reply.fault === 'late') setTimeout(go, reply.lateMs ?? 0);
  else go();
}

/** Faults that are there before the first part. True when the answer is over. */
function answerWrong(exchange: Exchange, seen: SeenRequest, reply: Reply, wire: Wire): boolean {
  const { response, call } = exchange;
  const end = (body: string): true => {
    response.writeHead(200, { 'content-type': wire.contentType }).end(body);
    finish(call, seen);
    return true;
  };
  switch (reply.fault) {
    case 'hang-up':
      finish(call, seen);
      response.destroy();
      return true;
    case 'status-400':
    case 'status-404':
    case 'status-500': {
      const status = Number(reply.fault.slice(-3));
      sendJson(response, status, wire.errorBody(status));
      finish(call, seen);
      return true;
    }
    case 'redirect':
      response.writeHead(307, { location: 'http://203.0.113.1/' }).end();
      finish(call, seen);
      return true;
    case 'wrong-shape':
      return end(wire.wrongShape);
    case 'garbage':
      return end('<html>Well, hello there</html>\n\n');
    case 'huge-line':
      response.writeHead(200, { 'content-type': wire.contentType });
      pour(response, wire.lineStart);
      return true;
    default:
      return false;
  }
}

/** Writes as long as the client reads, at most 64 MiB. */
function pour(response: ServerResponse, start: string): void {
  const block = 'x'.repeat(64 * 1024);
  let blocks = 1024;
  response.write(start);
  const more = (): void => {
    while (blocks-- > 0) if (!response.write(block)) return void response.once('drain', more);
    response.end();
  };
  more();
}

function breakOff(response: ServerResponse, reply: Reply, wire: Wire, over: () => void): void {
  if (response.writableEnded || response.destroyed) return;
  over();
  if (reply.fault === 'error-inside') response.end(wire.errorInside);
  else if (reply.fault === 'cut') response.end();
  // What was written must reach the client before the break.
  else response.write('', () => response.destroy());
}

function write(response: ServerResponse, text: string, reply: Reply): void {
  if (reply.dribble !== true) return void response.write(text);
  for (const byte of Buffer.from(text)) response.write(Buffer.of(byte));
}
