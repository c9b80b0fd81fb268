import type { CallEventRow } from '../store/index.ts';
import { sha256 } from './chain.ts';

/**
 * Calls as vCons: the IETF's JSON container for conversations, draft-ietf-vcon-vcon-core-04. Words become text dialogs, the
 * structural events of the call an attachment. Times are RFC 3339.
 */
export interface VCon {
  readonly vcon: '0.4.0';
  readonly uuid: string;
  readonly created_at: string;
  readonly subject: string;
  readonly parties: readonly VConParty[];
  readonly dialog: readonly VConDialog[];
  readonly analysis: readonly never[];
  readonly attachments: readonly VConAttachment[];
}

export interface VConParty {
  /** A TEL URL (RFC 3966). */
  readonly tel?: string;
  readonly name?: string;
  readonly type?: string;
}

export interface VConDialog {
  readonly type: 'text' | 'incomplete';
  readonly start: string;
  readonly parties: readonly number[];
  readonly mediatype?: 'text/plain';
  readonly encoding?: 'none';
  readonly body?: string;
  readonly disposition?: 'hung-up';
}

export interface VConAttachment {
  readonly purpose: string;
  readonly start: string;
  readonly party: number;
  readonly dialog: number;
  readonly mediatype: 'application/json';
  readonly encoding: 'json';
  readonly body: unknown;
}

const CALLER = 0;
const AGENT = 1;

export function toVCons(
  events: readonly CallEventRow[],
  contents: ReadonlyMap<string, Readonly<Record<string, string>>>,
  madeAt: Date,
): readonly VCon[] {
  return [...groupByCall(events)].map(([callId, rows]) => toVCon(callId, rows, contents, madeAt));
}

function groupByCall(events: readonly CallEventRow[]): Map<string, CallEventRow[]> {
  const calls = new Map<string, CallEventRow[]>();
  for (const event of events) calls.set(event.callId, [...(calls.get(event.callId) ?? []), event]);
  return calls;
}

function toVCon(
  callId: string,
  events: readonly CallEventRow[],
  contents: ReadonlyMap<string, Readonly<Record<string, string>>>,
  madeAt: Date,
): VCon {
  const dialog: VConDialog[] = [];
  const entries: unknown[] = [];
  let from: string | undefined;
  let name: string | undefined;
  for (const event of events) {
    const content = contents.get(`${event.streamId} ${String(event.seq)}`);
    from ??= content?.['from'];
    name ??= content?.['name'];
    const start = rfc3339(event.tsUs);
    if (content?.['text'] !== undefined) dialog.push(textDialog(event.type, start, content['text']));
    entries.push({ at: start, type: event.type, body: JSON.parse(event.body) as unknown, ...(content === undefined ? {} : { content }) });
  }
  const start = rfc3339(events[0]?.tsUs ?? 0);
  // An attachment belongs to a dialog: a call without a word gets one that says so.
  if (dialog.length === 0) dialog.push({ type: 'incomplete', start, parties: [CALLER, AGENT], disposition: 'hung-up' });
  return {
    vcon: '0.4.0',
    uuid: vconUuid(callId),
    created_at: madeAt.toISOString(),
    subject: `Call ${callId}`,
    parties: [
      {
        ...(from === undefined ? {} : { tel: `tel:${from.replace(/[^\d+]/g, '')}` }),
        ...(name === undefined ? {} : { name }),
        type: 'person',
      },
      { name: 'automated assistant', type: 'bot' },
    ],
    dialog,
    analysis: [],
    attachments: [
      { purpose: 'audit events', start, party: AGENT, dialog: 0, mediatype: 'application/json', encoding: 'json', body: entries },
    ],
  };
}

function textDialog(type: string, start: string, body: string): VConDialog {
  const speaker = type.startsWith('caller.') ? CALLER : AGENT;
  return { type: 'text', start, parties: [speaker, speaker === CALLER ? AGENT : CALLER], mediatype: 'text/plain', encoding: 'none', body };
}

const rfc3339 = (tsUs: number): string => new Date(tsUs / 1000).toISOString();

/** A version 8 UUID (RFC 9562) that is the same for the same call each time it is exported. */
function vconUuid(callId: string): string {
  const bytes = Buffer.from(sha256(`vcon ${callId}`).subarray(0, 16));
  bytes.writeUInt8(0x80 | (bytes.readUInt8(6) & 0x0f), 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
