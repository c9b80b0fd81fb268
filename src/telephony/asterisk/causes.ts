/** ITU-T Q.850 cause values against our reasons (RFC 3398 gives the SIP side; Asterisk uses Q.850 numbers). */
import type { HangupReason } from '../../contracts/index.ts';

/** What we send for each reason. */
const SEND: Readonly<Record<HangupReason, number>> = {
  normal: 16,
  busy: 17,
  'no-answer': 19,
  rejected: 21,
  cancelled: 16,
  unallocated: 1,
  congestion: 34,
  'out-of-order': 27,
  network: 38,
  'media-timeout': 16,
  admin: 16,
  unknown: 31,
};

const RECEIVE: Readonly<Record<number, HangupReason>> = {
  1: 'unallocated',
  2: 'unallocated',
  3: 'unallocated',
  16: 'normal',
  17: 'busy',
  18: 'no-answer',
  19: 'no-answer',
  20: 'no-answer',
  21: 'rejected',
  26: 'normal',
  27: 'out-of-order',
  28: 'unallocated',
  31: 'normal',
  34: 'congestion',
  38: 'network',
  41: 'network',
  42: 'congestion',
  44: 'congestion',
};

export function q850Of(reason: HangupReason): number {
  return SEND[reason];
}

/** 0 means that the PBX named no cause: a caller who simply hangs up. */
export function reasonOf(q850: number): HangupReason {
  return q850 === 0 ? 'normal' : (RECEIVE[q850] ?? 'unknown');
}
