/**
 * SIP over one UDP socket: transactions of RFC 3261 section 17, both roles. A request is repeated until it is answered; a repeated request gets the
 * answer it got before. What a dialog means is none of this file's business.
 */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { ParleyError } from '../../contracts/index.ts';
import { cseq, formatSip, header, isRequest, parseSip, topVia, type SipRequest, type SipResponse } from './sip-message.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}
export interface SipCounters {
  received: number;
  sent: number;
  malformed: number;
  /** Well-formed, but nobody here waits for it. */
  unexpected: number;
}
export type Reply = (
  status: number,
  reason: string,
  extra?: { readonly lines?: SipRequest['lines']; readonly body?: string; readonly toTag?: string },
) => void;
export interface TransportHandlers {
  /** A new request; ACK comes here too (its `reply` does nothing). */
  onRequest(request: SipRequest, from: Endpoint, reply: Reply): void;
  /** A 2xx to an INVITE that came again: its ACK was lost. */
  onRepeatedSuccess(response: SipResponse): void;
}
export interface Pending {
  readonly branch: string;
  /** The final response. Errors: CALLER_FAILED after 64 * T1 without any. */
  readonly final: Promise<SipResponse>;
}
interface ClientTransaction {
  readonly method: string;
  readonly onProvisional: (response: SipResponse) => void;
  readonly resolve: (response: SipResponse) => void;
  readonly request: SipRequest;
  readonly to: Endpoint;
  quiet: boolean;
  done: boolean;
  timer: NodeJS.Timeout | undefined;
}
interface ServerTransaction {
  answer: Buffer | undefined;
  /** Final answer to an INVITE waits for its ACK and is repeated until then. */
  repeat: NodeJS.Timeout | undefined;
  readonly from: Endpoint;
}

const T1_MS = 500;
const T2_MS = 4000;
/** Old transactions are kept this long for strays (64 * T1), and no more than so many. */
const MAX_TRANSACTIONS = 4096;

export class SipTransport {
  readonly local: Endpoint;
  readonly counters: SipCounters = { received: 0, sent: 0, malformed: 0, unexpected: 0 };
  readonly #socket: Socket;
  readonly #t1Ms: number;
  readonly #clients = new Map<string, ClientTransaction>();
  readonly #servers = new Map<string, ServerTransaction>();
  readonly #unanswered = new Set<Promise<void>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #handlers: TransportHandlers | undefined;

  private constructor(socket: Socket, t1Ms: number) {
    const { address, port } = socket.address();
    this.#socket = socket;
    this.#t1Ms = t1Ms;
    this.local = { host: address, port };
    socket.on('message', (bytes, from) => this.#receive(bytes, { host: from.address, port: from.port }));
    socket.on('error', () => this.counters.unexpected++);
  }

  /** Binds. `port` 0 takes any. Errors: CALLER_FAILED when the address cannot be bound. */
  static async open(options: { host: string; port?: number; t1Ms?: number }): Promise<SipTransport> {
    return new SipTransport(await bindUdp(options.host, options.port ?? 0), options.t1Ms ?? T1_MS);
  }

  listen(handlers: TransportHandlers): void {
    this.#handlers = handlers;
  }

  /** Sends a request in a new client transaction; the top Via is put in here. */
  request(request: SipRequest, to: Endpoint, onProvisional: (response: SipResponse) => void = () => undefined): Pending {
    const branch = newBranch();
    const full = this.#withVia(request, branch);
    const final = new Promise<SipResponse>((resolve, reject) => {
      const transaction: ClientTransaction = {
        method: request.method,
        onProvisional,
        resolve,
        request: full,
        to,
        quiet: false,
        done: false,
        timer: undefined,
      };
      this.#remember(this.#clients, `${branch} ${request.method}`, transaction);
      this.#repeat(transaction, this.#t1Ms);
      this.#after(64 * this.#t1Ms, () => {
        // An INVITE that rings may ring on: the caller of this function has its own patience.
        if (transaction.done || (transaction.quiet && request.method === 'INVITE')) return;
        this.#finish(transaction);
        reject(new ParleyError('CALLER_FAILED', `${request.method} to ${to.host}:${to.port} was never answered: does a PBX listen there?`));
      });
    });
    const settled = final.then(
      () => undefined,
      () => undefined,
    );
    this.#unanswered.add(settled);
    void settled.then(() => this.#unanswered.delete(settled));
    return { branch, final };
  }

  /** Sends once, without waiting: ACK to a 2xx. */
  sendOnce(request: SipRequest, to: Endpoint): void {
    this.#send(formatSip(this.#withVia(request, newBranch())), to);
  }

  /** CANCEL belongs to the INVITE's branch (9.1). */
  cancel(branch: string): void {
    const invite = this.#clients.get(`${branch} INVITE`);
    if (invite === undefined || invite.done) return;
    const lines = invite.request.lines.filter(([name]) => ['via', 'from', 'to', 'call-id', 'max-forwards', 'route'].includes(name));
    const number = cseq(invite.request).number;
    const request: SipRequest = { method: 'CANCEL', uri: invite.request.uri, lines: [...lines, ['cseq', `${number} CANCEL`]], body: '' };
    const transaction: ClientTransaction = {
      method: 'CANCEL',
      onProvisional: () => undefined,
      resolve: () => undefined,
      request,
      to: invite.to,
      quiet: false,
      done: false,
      timer: undefined,
    };
    this.#remember(this.#clients, `${branch} CANCEL`, transaction);
    this.#repeat(transaction, this.#t1Ms);
    this.#after(64 * this.#t1Ms, () => this.#finish(transaction));
  }

  /** Resolves when every request of ours has been answered, or after `maxMs`. */
  async settle(maxMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise((resolve) => (timer = setTimeout(resolve, maxMs)));
    await Promise.race([Promise.all(this.#unanswered), patience]);
    clearTimeout(timer);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#clients.clear();
    this.#servers.clear();
    this.#handlers = undefined;
    this.#socket.close();
  }

  #withVia(request: SipRequest, branch: string): SipRequest {
    const host = this.local.host.includes(':') ? `[${this.local.host}]` : this.local.host;
    return { ...request, lines: [['via', `SIP/2.0/UDP ${host}:${this.local.port};branch=${branch};rport`], ...request.lines] };
  }

  /** Timers A and E: again and again until something came back. */
  #repeat(transaction: ClientTransaction, waitMs: number): void {
    this.#send(formatSip(transaction.request), transaction.to);
    transaction.timer = this.#after(waitMs, () => {
      if (transaction.done || (transaction.quiet && transaction.method === 'INVITE')) return;
      const next = transaction.method === 'INVITE' ? waitMs * 2 : Math.min(waitMs * 2, T2_MS);
      this.#repeat(transaction, next);
    });
  }

  #finish(transaction: ClientTransaction): void {
    transaction.done = true;
    this.#forget(transaction.timer);
  }

  #receive(bytes: Buffer, from: Endpoint): void {
    this.counters.received++;
    try {
      const message = parseSip(bytes);
      if (message === null) return;
      if (isRequest(message)) this.#onRequest(message, from);
      else this.#onResponse(message);
    } catch (error) {
      if (!(error instanceof ParleyError) || error.code !== 'SIP_MALFORMED') throw error;
      this.counters.malformed++;
    }
  }

  #onResponse(response: SipResponse): void {
    const { branch } = topVia(response);
    const method = cseq(response).method;
    const transaction = this.#clients.get(`${branch} ${method}`);
    if (transaction === undefined) {
      this.counters.unexpected++;
      return;
    }
    if (response.status < 200) {
      transaction.quiet = true;
      if (!transaction.done) transaction.onProvisional(response);
      return;
    }
    if (method === 'INVITE') {
      if (response.status >= 300) this.#acknowledgeRefusal(transaction, response);
      else if (transaction.done) this.#handlers?.onRepeatedSuccess(response);
    }
    if (transaction.done) return;
    this.#finish(transaction);
    transaction.resolve(response);
  }

  /** The ACK to a refusal is part of the INVITE's transaction (17.1.1.3): same branch, their To. */
  #acknowledgeRefusal(transaction: ClientTransaction, response: SipResponse): void {
    const kept = transaction.request.lines.filter(([name]) => ['via', 'from', 'call-id', 'max-forwards', 'route'].includes(name));
    const number = cseq(transaction.request).number;
    const lines: SipRequest['lines'] = [...kept, ['to', header(response, 'to') ?? ''], ['cseq', `${number} ACK`]];
    this.#send(formatSip({ method: 'ACK', uri: transaction.request.uri, lines, body: '' }), transaction.to);
  }

  #onRequest(request: SipRequest, from: Endpoint): void {
    const { branch, sentBy } = topVia(request);
    const key = `${branch} ${sentBy} ${request.method === 'ACK' ? 'INVITE' : request.method} ${cseq(request).number}`;
    const known = this.#servers.get(key);
    if (request.method === 'ACK') {
      // After a 2xx the ACK has a branch of its own, so it is found by the dialog: see stopRepeating.
      if (known !== undefined) this.#forget(known.repeat);
      this.#handlers?.onRequest(request, from, () => undefined);
      return;
    }
    if (known !== undefined) {
      if (known.answer !== undefined) this.#send(known.answer, from);
      return;
    }
    const transaction: ServerTransaction = { answer: undefined, repeat: undefined, from };
    this.#remember(this.#servers, key, transaction);
    this.#handlers?.onRequest(request, from, (status, reason, extra) => this.#reply(request, transaction, status, reason, extra));
  }

  #reply(request: SipRequest, transaction: ServerTransaction, status: number, reason: string, extra: Parameters<Reply>[2] = {}): void {
    const echoed = request.lines.filter(([name]) => ['via', 'from', 'call-id', 'cseq', 'record-route'].includes(name));
    const to = header(request, 'to') ?? '';
    const tagged = extra.toTag === undefined || /;\s*tag=/i.test(to) ? to : `${to};tag=${extra.toTag}`;
    transaction.answer = formatSip({ status, reason, lines: [...echoed, ['to', tagged], ...(extra.lines ?? [])], body: extra.body ?? '' });
    this.#send(transaction.answer, transaction.from);
    if (request.method === 'INVITE' && status >= 200) this.#repeatAnswer(transaction, this.#t1Ms, 0);
  }

  /** 13.3.1.4 and timer G: the final answer again until the ACK has come, for 64 * T1 at most. */
  #repeatAnswer(transaction: ServerTransaction, waitMs: number, waitedMs: number): void {
    transaction.repeat = this.#after(waitMs, () => {
      if (transaction.answer === undefined || waitedMs + waitMs >= 64 * this.#t1Ms) return;
      this.#send(transaction.answer, transaction.from);
      this.#repeatAnswer(transaction, Math.min(waitMs * 2, T2_MS), waitedMs + waitMs);
    });
  }

  /** The ACK of an INVITE that we answered with 2xx has come. */
  stopRepeating(invite: SipRequest): void {
    const { branch, sentBy } = topVia(invite);
    this.#forget(this.#servers.get(`${branch} ${sentBy} INVITE ${cseq(invite).number}`)?.repeat);
  }

  #send(bytes: Buffer, to: Endpoint): void {
    this.counters.sent++;
    this.#socket.send(bytes, to.port, to.host, () => undefined);
  }

  #remember<T>(map: Map<string, T>, key: string, value: T): void {
    map.set(key, value);
    const oldest = map.keys().next();
    if (map.size > MAX_TRANSACTIONS && oldest.done !== true) map.delete(oldest.value);
  }

  #after(waitMs: number, act: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, waitMs);
    this.#timers.add(timer);
    return timer;
  }

  #forget(timer: NodeJS.Timeout | undefined): void {
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#timers.delete(timer);
  }
}

/** A bound UDP socket. Errors: CALLER_FAILED. */
export function bindUdp(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const refuse = (cause: Error): void => {
      socket.close();
      reject(new ParleyError('CALLER_FAILED', `cannot bind UDP ${host}:${port}: ${cause.message}`, { cause }));
    };
    socket.once('error', refuse);
    socket.bind(port, host, () => {
      socket.off('error', refuse);
      resolve(socket);
    });
  });
}

export function newBranch(): string {
  return `z9hG4bK${randomBytes(9).toString('hex')}`;
}

/** A tag or an id nobody else has. */
export function newToken(): string {
  return randomBytes(8).toString('hex');
}
