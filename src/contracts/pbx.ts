/**
 * The PBX port: one interface for Asterisk (ARI) and FreeSWITCH (ESL).
 * Names, never dial strings. One ordered event stream; order per call is guaranteed.
 */
import type { Codec } from './media.ts';

/** ARI channel id or FreeSWITCH uuid of the caller's leg. */
export type PbxCallId = string;

export interface PbxCall {
  readonly id: PbxCallId;
  readonly direction: 'inbound' | 'outbound';
  /** Personal data: never logged, goes to the vault only. */
  readonly from: { readonly number: string; readonly name: string };
  /** The number or extension dialled. */
  readonly to: string;
  /** Flow and variables that the dialplan gave: Stasis(parley,flow=booking,name=value). */
  readonly args: Readonly<Record<string, string>>;
  readonly state: 'ringing' | 'up' | 'ended';
}

export type HangupReason =
  | 'normal'
  | 'busy'
  | 'no-answer'
  | 'rejected'
  | 'cancelled'
  | 'unallocated'
  | 'congestion'
  | 'out-of-order'
  | 'network'
  | 'media-timeout'
  | 'admin'
  | 'unknown';

export type PbxEvent =
  /** The control connection. On 'down' calls stay up in the PBX. */
  | { readonly t: 'link'; readonly state: 'up' | 'down'; readonly why?: string; readonly attempt: number }
  /** After every (re)connect: all calls of ours that the PBX still has; the rest are gone (`pbx.lost`). */
  | { readonly t: 'resync'; readonly calls: readonly PbxCall[] }
  | { readonly t: 'incoming'; readonly call: PbxCall }
  | { readonly t: 'dtmf'; readonly id: PbxCallId; readonly digit: string; readonly durationMs: number }
  | { readonly t: 'held' | 'resumed'; readonly id: PbxCallId }
  /** The caller's leg left us: hung up, or went on in the dialplan. */
  | { readonly t: 'ended'; readonly id: PbxCallId; readonly reason: HangupReason; readonly q850: number };

/** Where Asterisk or FreeSWITCH sends the caller's audio and expects ours: plain RTP. */
export interface PbxMedia {
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly receive: Codec;
  readonly send: Codec;
}

/** A call that we place ourselves. */
export interface DialOptions {
  /** Rings so long, 1000 or more. */
  readonly ringMs: number;
  /** Aborted while it rings: taken back, null. */
  readonly signal: AbortSignal;
  /** Keys, holds and the end of the answered call; nothing after `ended`. The listener of all calls never hears of it. */
  readonly onEvent: (event: Extract<PbxEvent, { id: PbxCallId }>) => void;
}

export interface PbxDriver {
  readonly kind: 'asterisk' | 'freeswitch' | 'fake';
  /** Version of the PBX as it reports it; empty before the first connection. */
  readonly version: string;
  /** Connects and keeps connected for ever, with backoff. Resolves at the first `link up` or rejects with `PBX_AUTH`. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** One listener; events arrive in order. */
  onEvent(listener: (event: PbxEvent) => void): void;
  /**
   * New calls come to this gateway from now on: of two that run side by side the one that claimed last gets them, so that the other one
   * can drain. The dialplan must ask for it (Asterisk: the global variable PARLEY_APP).
   */
  claim(): Promise<void>;
  answer(id: PbxCallId): Promise<void>;
  /**
   * Calls an extension of the dialplan and resolves with the answered call, which openMedia and hangup take; null when it is busy, is not
   * answered, refuses or does not exist. Errors: PBX_BAD_INPUT, PBX_LINK_DOWN, PBX_TIMEOUT, PBX_FAILED.
   */
  dial(target: { context: string; extension: string }, options: DialOptions): Promise<PbxCallId | null>;
  /** Joins the caller with an RTP leg that sends to `local` (already bound). Returns where to send. */
  openMedia(id: PbxCallId, want: { receive: Codec; send: Codec; localHost: string; localPort: number }): Promise<PbxMedia>;
  /** Sends the caller on to a dialplan extension (blind transfer), with these channel variables; the media leg is released. */
  transfer(id: PbxCallId, target: { context: string; extension: string }, variables?: Readonly<Record<string, string>>): Promise<void>;
  /** Sets channel variables, then lets the dialplan go on after the Stasis line. */
  leave(id: PbxCallId, variables: Readonly<Record<string, string>>): Promise<void>;
  /** Idempotent: an unknown call is success. */
  hangup(id: PbxCallId, reason: HangupReason): Promise<void>;
  /** Removes media legs and bridges of ours that belong to no call in `keep`. Returns how many. */
  sweep(keep: ReadonlySet<PbxCallId>): Promise<number>;
  /** Counters for metrics: unknown events, reconnects, swept legs. */
  counters(): Readonly<Record<string, number>>;
}
