/** One SIP dialog (RFC 3261 section 12): who the two sides are, in which order they speak, and how it ends. */
import { isIP } from 'node:net';
import { address, cseq, header, headers, hostOf, tagOf, type SipRequest, type SipResponse } from './sip-message.ts';
import type { Endpoint, Reply, SipTransport } from './sip-transport.ts';

export const ALLOW = 'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, NOTIFY';

export type DialogEnd = 'remote-bye' | 'local-bye';

/** Our media description, asked for whenever the other side offers a new one; null says that the offer cannot be taken. */
export type AnswerOffer = (offer: string | null) => string | null;

export interface DialogParts {
  readonly transport: SipTransport;
  readonly callId: string;
  /** Complete From and To as we write them, tags included. */
  readonly local: string;
  readonly remote: string;
  /** Their Contact. */
  readonly target: string;
  /** Route set in the order in which we use it. */
  readonly routes: readonly string[];
  /** Where the message came from that made the dialog: the way out when the target is a name. */
  readonly peer: Endpoint;
  readonly contact: string;
  readonly localCseq: number;
  readonly remoteCseq: number;
}

export class Dialog {
  /** Resolves once, when either side has ended the call. */
  readonly ended: Promise<DialogEnd>;
  readonly #parts: DialogParts;
  readonly #resolveEnd: (end: DialogEnd) => void;
  #localCseq: number;
  #remoteCseq: number;
  #target: string;
  #over = false;
  #ack: SipRequest | undefined;
  #answerOffer: AnswerOffer = () => null;

  constructor(parts: DialogParts) {
    this.#parts = parts;
    this.#localCseq = parts.localCseq;
    this.#remoteCseq = parts.remoteCseq;
    this.#target = parts.target;
    let resolveEnd: (end: DialogEnd) => void = () => undefined;
    this.ended = new Promise((resolve) => (resolveEnd = resolve));
    this.#resolveEnd = resolveEnd;
  }

  /** The caller's side of a dialog, from the 2xx to our INVITE (12.1.2). */
  static ofSuccess(transport: SipTransport, invite: SipRequest, success: SipResponse, peer: Endpoint): Dialog {
    const contact = address(header(success, 'contact') ?? '').uri;
    return new Dialog({
      transport,
      callId: header(invite, 'call-id') ?? '',
      local: header(invite, 'from') ?? '',
      remote: header(success, 'to') ?? '',
      target: contact === '' ? invite.uri : contact,
      routes: headers(success, 'record-route').reverse(),
      peer,
      contact: header(invite, 'contact') ?? '',
      localCseq: cseq(invite).number,
      remoteCseq: -1,
    });
  }

  get key(): string {
    return dialogKey(this.#parts.callId, tagOf(this.#parts.local));
  }
  get over(): boolean {
    return this.#over;
  }

  /** Who answers an offer inside the call (hold, resume, moved media). */
  onOffer(answer: AnswerOffer): void {
    this.#answerOffer = answer;
  }

  /** ACK to the 2xx of an INVITE; kept, for the 2xx may come again. */
  acknowledge(): void {
    this.#ack = this.#build('ACK', this.#localCseq);
    this.#parts.transport.sendOnce(this.#ack, this.#nextHop());
  }
  acknowledgeAgain(): void {
    if (this.#ack !== undefined) this.#parts.transport.sendOnce(this.#ack, this.#nextHop());
  }

  /** Hangs up. Resolves when the other side has confirmed, or at once when the call is over. */
  async bye(): Promise<void> {
    if (this.#over) return;
    this.#finish('local-bye');
    await this.request('BYE');
  }

  /** Any request inside the dialog. Errors: CALLER_FAILED when nobody answers. */
  async request(method: string, extra: { readonly lines?: SipRequest['lines']; readonly body?: string } = {}): Promise<SipResponse> {
    this.#localCseq++;
    const base = this.#build(method, this.#localCseq);
    const request = { ...base, lines: [...base.lines, ...(extra.lines ?? [])], body: extra.body ?? '' };
    return this.#parts.transport.request(request, this.#nextHop()).final;
  }

  /** A request of the other side inside this dialog. */
  receive(request: SipRequest, reply: Reply): void {
    const number = cseq(request).number;
    if (request.method === 'ACK') return;
    if (number < this.#remoteCseq) {
      reply(500, 'Out Of Order');
      return;
    }
    this.#remoteCseq = number;
    if (this.#over && request.method !== 'BYE') {
      reply(481, 'Call Does Not Exist');
      return;
    }
    switch (request.method) {
      case 'BYE':
        reply(200, 'OK');
        {
          this.#finish('remote-bye');
          return;
        }
      case 'INVITE':
      case 'UPDATE': {
        this.#receiveOffer(request, reply);
        return;
      }
      case 'OPTIONS':
      case 'INFO':
      case 'NOTIFY': {
        reply(200, 'OK', { lines: [['allow', ALLOW]] });
        return;
      }
      default: {
        reply(405, 'Method Not Allowed', { lines: [['allow', ALLOW]] });
        return;
      }
    }
  }

  #receiveOffer(request: SipRequest, reply: Reply): void {
    const contact = address(header(request, 'contact') ?? '').uri;
    const offer = request.body.trim() === '' ? null : request.body;
    // An UPDATE without a description only keeps the session alive; an INVITE without one asks for ours.
    if (offer === null && request.method === 'UPDATE') {
      reply(200, 'OK', { lines: [['contact', this.#parts.contact]] });
      return;
    }
    const answer = this.#answerOffer(offer);
    if (answer === null) {
      reply(488, 'Not Acceptable Here');
      return;
    }
    if (contact !== '') this.#target = contact;
    const lines: SipRequest['lines'] = [['contact', this.#parts.contact], ['allow', ALLOW], ['content-type', 'application/sdp']]; // prettier-ignore
    reply(200, 'OK', { lines, body: answer });
  }

  #finish(end: DialogEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#resolveEnd(end);
  }

  #build(method: string, number: number): SipRequest {
    const { callId, local, remote, routes, contact } = this.#parts;
    const lines: SipRequest['lines'] = [
      ['max-forwards', '70'],
      ...routes.map((route) => ['route', route] as const),
      ['from', local],
      ['to', remote],
      ['call-id', callId],
      ['cseq', `${number} ${method}`],
      ['contact', contact],
    ];
    return { method, uri: this.#target, lines, body: '' };
  }

  /** First route, else their Contact; a name that would need DNS falls back to where they wrote from. */
  #nextHop(): Endpoint {
    const route = this.#parts.routes[0];
    const place = hostOf(route === undefined ? this.#target : address(route).uri);
    return place !== undefined && isIP(place.host) !== 0 ? { host: place.host, port: place.port } : this.#parts.peer;
  }
}

export function dialogKey(callId: string, localTag: string): string {
  return `${callId} ${localTag}`;
}
