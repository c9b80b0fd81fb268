/**
 * A SIP telephone (RFC 3261) over UDP: calls, is called, registers, authenticates. Signalling only: media descriptions are strings to it.
 */
import { ParleyError } from '../../contracts/index.ts';
import { answerChallenge, type Credentials } from './sip-auth.ts';
import { ALLOW, Dialog, dialogKey } from './sip-dialog.ts';
import { address, cseq, header, headers, hostOf, tagOf, topVia, type SipRequest, type SipResponse } from './sip-message.ts';
import { newToken, SipTransport, type Endpoint, type Reply, type SipCounters } from './sip-transport.ts';

const SETTLE_MS = 2000;

export interface InviteOptions {
  readonly to: Endpoint;
  /** Full address to ask for: sip:echo@127.0.0.1:5060. */
  readonly uri: string;
  /** User part of our From: the number that the called side sees. */
  readonly from: string;
  readonly offer: string;
  readonly credentials?: Credentials | undefined;
  /** Further headers, as an admin's trunk may send them. */
  readonly lines?: SipRequest['lines'] | undefined;
  /** CANCEL after this long without an answer. */
  readonly patienceMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly onRinging?: ((status: number) => void) | undefined;
}
export type InviteResult =
  | { readonly ok: true; readonly dialog: Dialog; readonly answer: string }
  | { readonly ok: false; readonly status: number; readonly reason: string; readonly gaveUp: boolean };

/** A call that comes in. Exactly one of accept and refuse is called, `ring` before it if wanted. */
export interface Incoming {
  readonly request: SipRequest;
  readonly offer: string | null;
  /** User part of their From. */
  readonly from: string;
  /** Aborted when the other side cancels before we answered. */
  readonly cancelled: AbortSignal;
  ring(): void;
  accept(answer: string): Dialog;
  refuse(status: number, reason: string): void;
}

export class SipPhone {
  readonly #transport: SipTransport;
  readonly #dialogs = new Map<string, Dialog>();
  readonly #waiting = new Map<string, { cancel: () => void }>();
  /** What to do when the ACK of a call has come, by dialog. */
  readonly #acknowledged = new Map<string, () => void>();
  #onIncoming: ((incoming: Incoming) => void) | undefined;

  private constructor(transport: SipTransport) {
    this.#transport = transport;
    transport.listen({
      onRequest: (request, from, reply) => this.#onRequest(request, from, reply),
      onRepeatedSuccess: (response) => this.#find(header(response, 'call-id') ?? '', tagOf(header(response, 'from')))?.acknowledgeAgain(),
    });
  }

  static async open(options: { host: string; port?: number; t1Ms?: number }): Promise<SipPhone> {
    return new SipPhone(await SipTransport.open(options));
  }

  get local(): Endpoint {
    return this.#transport.local;
  }
  get counters(): Readonly<SipCounters> {
    return this.#transport.counters;
  }

  onIncoming(handler: (incoming: Incoming) => void): void {
    this.#onIncoming = handler;
  }

  /** Calls. A refusal is a result, not an error. Errors: CALLER_FAILED when nobody answers at all. */
  async invite(options: InviteOptions): Promise<InviteResult> {
    const identity: SipRequest['lines'] = [
      ['max-forwards', '70'],
      ['from', `"Test caller" <sip:${options.from}@${this.#place()}>;tag=${newToken()}`],
      ['to', `<${options.uri}>`],
      ['call-id', newToken()],
    ];
    const build = (number: number, extra: SipRequest['lines']): SipRequest => ({
      method: 'INVITE',
      uri: options.uri,
      lines: [
        ...identity,
        ['cseq', `${number} INVITE`],
        ['contact', this.#contact(options.from)],
        ['allow', ALLOW],
        ['content-type', 'application/sdp'],
        ...(options.lines ?? []),
        ...extra,
      ],
      body: options.offer,
    });
    const first = build(1, []);
    const response = await this.#tryInvite(first, options);
    const proof = this.#proof(response.response, first, options.credentials);
    if (proof === undefined || response.gaveUp) return this.#concluded(first, response, options);
    const second = build(2, [proof]);
    return this.#concluded(second, await this.#tryInvite(second, options), options);
  }

  /** Registers our Contact. Errors: CALLER_FAILED when refused or unanswered. `expiresS` 0 takes it away. */
  async register(options: { registrar: Endpoint; credentials: Credentials; expiresS: number }): Promise<void> {
    const { registrar, credentials } = options;
    const where = `${bracketed(registrar.host)}:${registrar.port}`;
    const identity: SipRequest['lines'] = [
      ['max-forwards', '70'],
      ['from', `<sip:${credentials.user}@${where}>;tag=${newToken()}`],
      ['to', `<sip:${credentials.user}@${where}>`],
      ['call-id', newToken()],
      ['contact', this.#contact(credentials.user)],
      ['expires', String(options.expiresS)],
    ];
    const build = (number: number, extra: SipRequest['lines']): SipRequest => ({
      method: 'REGISTER',
      uri: `sip:${where}`,
      lines: [...identity, ['cseq', `${number} REGISTER`], ...extra],
      body: '',
    });
    const first = build(1, []);
    let response = await this.#transport.request(first, registrar).final;
    const proof = this.#proof(response, first, credentials);
    if (proof !== undefined) response = await this.#transport.request(build(2, [proof]), registrar).final;
    if (response.status >= 300)
      throw new ParleyError('CALLER_FAILED', `registration as ${credentials.user} was refused: ${response.status} ${response.reason}`);
  }

  /** Waits until what we sent last (a BYE) has been answered, but not for long. */
  settle(): Promise<void> {
    return this.#transport.settle(SETTLE_MS);
  }

  close(): void {
    this.#transport.close();
    this.#dialogs.clear();
  }

  async #tryInvite(request: SipRequest, options: InviteOptions): Promise<{ response: SipResponse; gaveUp: boolean }> {
    let gaveUp = false;
    let heard = false;
    let abandon: (error: Error) => void = () => undefined;
    const abandoned = new Promise<never>((_, reject) => (abandon = reject));
    const { branch, final } = this.#transport.request(request, options.to, (response) => {
      heard = true;
      if (gaveUp) this.#transport.cancel(branch);
      else options.onRinging?.(response.status);
    });
    const giveUp = (): void => {
      gaveUp = true;
      // 9.1: a CANCEL may go out only after a provisional response. Without any there is nobody to cancel with.
      if (heard) this.#transport.cancel(branch);
      else abandon(new ParleyError('CALLER_FAILED', `nobody answers at ${options.to.host}:${options.to.port}: does a PBX listen there?`));
    };
    const patience = setTimeout(giveUp, options.patienceMs);
    if (options.signal?.aborted === true) giveUp();
    else options.signal?.addEventListener('abort', giveUp, { once: true });
    try {
      return { response: await Promise.race([final, abandoned]), gaveUp };
    } finally {
      clearTimeout(patience);
      options.signal?.removeEventListener('abort', giveUp);
    }
  }

  #concluded(request: SipRequest, result: { response: SipResponse; gaveUp: boolean }, options: InviteOptions): InviteResult {
    const { response, gaveUp } = result;
    if (response.status >= 300) return { ok: false, status: response.status, reason: response.reason, gaveUp };
    const dialog = Dialog.ofSuccess(this.#transport, request, response, options.to);
    this.#keep(dialog);
    dialog.acknowledge();
    if (!gaveUp) return { ok: true, dialog, answer: response.body };
    // The answer crossed our CANCEL: hang up what we no longer want (15).
    dialog.bye().catch(() => undefined);
    return { ok: false, status: 487, reason: 'Request Terminated', gaveUp };
  }

  /** The header that answers a challenge, or undefined when there is none or we cannot. */
  #proof(response: SipResponse, request: SipRequest, credentials: Credentials | undefined): readonly [string, string] | undefined {
    if (credentials === undefined || (response.status !== 401 && response.status !== 407)) return undefined;
    const [ask, give] =
      response.status === 401 ? (['www-authenticate', 'authorization'] as const) : (['proxy-authenticate', 'proxy-authorization'] as const);
    // Not headers(): a challenge has commas of its own.
    const challenges = response.lines.filter(([name]) => name === ask).map(([, value]) => value);
    const answer = challenges.map((challenge) => answerChallenge(challenge, request, credentials)).find((value) => value !== undefined);
    return answer === undefined ? undefined : [give, answer];
  }

  #onRequest(request: SipRequest, from: Endpoint, reply: Reply): void {
    const callId = header(request, 'call-id') ?? '';
    const toTag = tagOf(header(request, 'to'));
    const dialog = toTag === '' ? undefined : this.#find(callId, toTag);
    if (request.method === 'ACK') {
      this.#acknowledged.get(dialogKey(callId, toTag))?.();
      return;
    }
    if (dialog !== undefined) {
      dialog.receive(request, reply);
      // Re-INVITEs are acknowledged under the same key.
      if (request.method === 'INVITE') this.#acknowledged.set(dialog.key, () => this.#transport.stopRepeating(request));
      return;
    }
    const tagged = { toTag: newToken(), lines: [['allow', ALLOW]] as const };
    if (request.method === 'OPTIONS') {
      reply(200, 'OK', tagged);
      return;
    }
    if (request.method === 'CANCEL') {
      this.#onCancel(request, reply);
      return;
    }
    if (toTag !== '') {
      reply(481, 'Call Does Not Exist');
      return;
    }
    if (request.method !== 'INVITE') {
      reply(405, 'Method Not Allowed', tagged);
      return;
    }
    if (this.#onIncoming === undefined) {
      reply(486, 'Busy Here', tagged);
      return;
    }
    this.#onIncoming(this.#incoming(request, from, reply, tagged.toTag));
  }

  #incoming(request: SipRequest, peer: Endpoint, reply: Reply, toTag: string): Incoming {
    const abort = new AbortController();
    const branch = topVia(request).branch;
    const from = header(request, 'from') ?? '';
    let settled = false;
    const settle = (): boolean => {
      const first = !settled;
      settled = true;
      this.#waiting.delete(branch);
      return first;
    };
    this.#waiting.set(branch, {
      cancel: () => {
        if (!settle()) return;
        reply(487, 'Request Terminated', { toTag });
        abort.abort();
      },
    });
    const contact = this.#contact(hostOf(request.uri)?.user ?? 'desk');
    return {
      request,
      offer: request.body.trim() === '' ? null : request.body,
      from: hostOf(address(from).uri)?.user ?? '',
      cancelled: abort.signal,
      ring: () => {
        if (!settled) reply(180, 'Ringing', { toTag, lines: [['contact', contact]] });
      },
      refuse: (status, reason) => {
        if (settle()) reply(status, reason, { toTag });
      },
      accept: (answer) => {
        const dialog = new Dialog({
          transport: this.#transport,
          callId: header(request, 'call-id') ?? '',
          local: `${header(request, 'to') ?? ''};tag=${toTag}`,
          remote: from,
          target: address(header(request, 'contact') ?? '').uri,
          routes: headers(request, 'record-route'),
          peer,
          contact,
          localCseq: 0,
          remoteCseq: cseq(request).number,
        });
        if (!settle()) throw new ParleyError('CALLER_FAILED', 'the call was cancelled or answered before');
        this.#keep(dialog);
        this.#acknowledged.set(dialog.key, () => this.#transport.stopRepeating(request));
        reply(200, 'OK', { toTag, lines: [['contact', contact], ['allow', ALLOW], ['content-type', 'application/sdp']], body: answer }); // prettier-ignore
        return dialog;
      },
    };
  }

  #onCancel(request: SipRequest, reply: Reply): void {
    const call = this.#waiting.get(topVia(request).branch);
    if (call === undefined) {
      reply(481, 'Call Does Not Exist');
      return;
    }
    reply(200, 'OK', { toTag: newToken() });
    call.cancel();
  }

  #keep(dialog: Dialog): void {
    this.#dialogs.set(dialog.key, dialog);
    void dialog.ended.then(() => {
      // A repeated BYE is answered by its transaction; anything else about this call is a 481 from now on.
      this.#dialogs.delete(dialog.key);
      this.#acknowledged.delete(dialog.key);
    });
  }
  #find(callId: string, localTag: string): Dialog | undefined {
    return this.#dialogs.get(dialogKey(callId, localTag));
  }
  #place(): string {
    return `${bracketed(this.local.host)}:${this.local.port}`;
  }
  #contact(user: string): string {
    return `<sip:${user}@${this.#place()}>`;
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
