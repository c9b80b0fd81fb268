/**
 * The built-in synthetic caller: a small SIP telephone that phones in, speaks with espeak-ng's voice, listens, records both sides and judges what it
 * heard. `npm run demo`, `parley call`, the end-to-end tests and `bench call` use it.
 *
 * It stands where a caller stands: outside. It must not know Parley's media engine, flows or log; it has its own RTP, G.711 and resampler, so that
 * it cannot share a mistake with what it checks. It runs in a process of its own, for the sake of its clock.
 *
 * Errors: CALLER_FAILED (no socket, no espeak-ng, nobody answers at all), CALLER_SCRIPT (a script is not valid). A refused call is a result.
 */
import { ParleyError } from '../../contracts/index.ts';
import { converse, renderScript, type CallerEvent, type ConversationResult } from './conversation.ts';
import type { Law } from './g711.ts';
import { followOffers } from './offers.ts';
import { monoMs, RtpLeg } from './rtp.ts';
import type { Script } from './script.ts';
import { DEFAULT_KEYS_TYPE, readSdp, writeSdp, type RemoteMedia } from './sdp.ts';
import type { Dialog } from './sip-dialog.ts';
import type { Credentials } from './sip-auth.ts';
import { SipPhone } from './sip.ts';
import { DEFAULT_VOICE, type Voice } from './voice.ts';

export { answerCalls, type Desk, type DeskCall, type DeskOptions } from './desk.ts';
export type { CallerEvent, ConversationEnd, ConversationResult, RtpStats } from './conversation.ts';
export { findPrompt, findPrompts, inOrder, promptFrom, type Prompt, type PromptFound, type Verdict } from './match.ts';
export type { Turn } from './measure.ts';
export { readScript } from './script-read.ts';
export type { Script, Step } from './script.ts';
export { DEFAULT_VOICE, renderLine, type Line, type Voice } from './voice.ts';

export interface CallOptions {
  readonly sipHost: string;
  readonly sipPort: number;
  /** Address to call from; loopback unless told otherwise. */
  readonly localHost?: string;
  readonly extension: string;
  readonly script: Script;
  readonly voice?: Voice;
  /** Number that the called side sees. */
  readonly from?: string;
  /** For a PBX that asks who we are. */
  readonly credentials?: Credentials;
  /** Further SIP headers of the INVITE. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Codecs to offer, best first. */
  readonly laws?: readonly Law[];
  /** Payload type offered for keys (RFC 4733). */
  readonly keysType?: number;
  /** Stereo WAV: caller left, heard right. */
  readonly recordTo?: string;
  /** Give up ringing after this long. */
  readonly patienceMs?: number;
  /** Hang up after this long, whatever the script says. */
  readonly maxCallMs?: number;
  readonly onEvent?: (event: CallerEvent) => void;
  readonly signal?: AbortSignal;
}

export type CallReport =
  | ({ readonly answered: true; /** From INVITE to 200. */ readonly answeredMs: number } & ConversationResult)
  | { readonly answered: false; readonly end: 'refused' | 'no-answer'; readonly status: number; readonly reason: string };

const PATIENCE_MS = 30_000;
const MAX_CALL_MS = 600_000;

/** Places one call and walks the script through it. Resolves when the call is over. */
export async function placeCall(options: CallOptions): Promise<CallReport> {
  const lines = await renderScript(options.script, options.voice ?? DEFAULT_VOICE);
  const localHost = options.localHost ?? '127.0.0.1';
  const phone = await SipPhone.open({ host: localHost });
  const leg = await RtpLeg.open(localHost).catch((error: unknown) => {
    phone.close();
    throw error;
  });
  try {
    const startMs = monoMs();
    const laws = options.laws ?? ['ulaw'];
    const local = {
      host: localHost,
      port: leg.port,
      laws,
      keysType: options.keysType ?? DEFAULT_KEYS_TYPE,
      version: 1,
      direction: 'sendrecv' as const,
    };
    const result = await phone.invite({
      to: { host: options.sipHost, port: options.sipPort },
      uri: `sip:${checkedUser(options.extension)}@${options.sipHost.includes(':') ? `[${options.sipHost}]` : options.sipHost}:${options.sipPort}`,
      from: checkedUser(options.from ?? 'caller'),
      offer: writeSdp(local),
      credentials: options.credentials,
      lines: options.headers?.map(([name, value]) => [name.toLowerCase(), value] as const),
      patienceMs: options.patienceMs ?? PATIENCE_MS,
      signal: options.signal,
      onRinging: (status) => options.onEvent?.({ t: 'ringing', status }),
    });
    if (!result.ok) {
      return { answered: false, end: result.gaveUp ? 'no-answer' : 'refused', status: result.status, reason: result.reason };
    }
    const answeredMs = monoMs() - startMs;
    options.onEvent?.({ t: 'answered', afterMs: answeredMs });
    const remote = await usable(result.dialog, result.answer, laws);
    followOffers(result.dialog, leg, local);
    const conversation = await converse(leg, result.dialog, remote, { ...options, lines, maxCallMs: options.maxCallMs ?? MAX_CALL_MS });
    return { answered: true, answeredMs, ...conversation };
  } finally {
    leg.close();
    await phone.settle();
    phone.close();
  }
}

/** Reads the answer; one that we cannot use ends the call before the error goes up. */
async function usable(dialog: Dialog, answer: string, laws: readonly Law[]): Promise<RemoteMedia> {
  try {
    return readSdp(answer, laws);
  } catch (error) {
    await dialog.bye().catch(() => undefined);
    throw error;
  }
}

/** A user part that cannot break out of its SIP address. */
function checkedUser(user: string): string {
  if (!/^[A-Za-z0-9+*#._-]{1,64}$/.test(user))
    throw new ParleyError('CALLER_FAILED', 'a number or extension may hold 1 to 64 of letters, digits and + * # . _ -');
  return user;
}
