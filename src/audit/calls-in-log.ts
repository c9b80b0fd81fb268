/**
 * Which calls the spool has seen begin and end: what a boot may believe about the calls of the process before it. What is in the spool is
 * on disk for certain; what a process kept beside it (open-calls) may be a moment older or missing.
 */
import type { KeptCall, OpenRecording } from '../contracts/index.ts';
import type { EventRow } from '../store/index.ts';

type Body = Readonly<Record<string, unknown>>;

export class CallsInLog {
  readonly #open = new Map<string, KeptCall>();
  readonly #ended = new Set<string>();

  /** In the order of the chain. */
  see(row: EventRow): void {
    const { callId, type } = row;
    if (callId === null) return;
    if (type === 'call.incoming') this.#begin(callId, row);
    else if (type === 'call.ended') {
      this.#open.delete(callId);
      this.#ended.add(callId);
    } else if (type === 'consent' || type.startsWith('recording.')) this.#recorded(callId, type, JSON.parse(row.body) as Body);
  }

  #begin(callId: string, { body, tsUs }: EventRow): void {
    const { pbxId, flow, flowVersion } = JSON.parse(body) as Body;
    if (typeof pbxId !== 'string' || typeof flow !== 'string' || typeof flowVersion !== 'string') return;
    const began = { callId, pbxId, flow, flowVersion, startedWallUs: tsUs, keptWallUs: tsUs };
    this.#open.set(callId, { ...began, turns: 0, state: null, acts: [], recordings: [] });
  }

  #recorded(callId: string, type: string, { recording, result }: Body): void {
    const call = this.#open.get(callId);
    if (call === undefined) return;
    const recordings = changed(call.recordings, type, typeof recording === 'string' ? recording : '', result === 'withdrawn');
    this.#open.set(callId, { ...call, recordings });
  }

  /**
   * What really was open, from what was kept: a call that has its end in the log has none to come, and one that the log has seen begin is
   * there though nothing was kept of it; it begins again.
   */
  open(kept: readonly KeptCall[]): readonly KeptCall[] {
    const known = kept.filter(({ callId }) => !this.#ended.has(callId));
    const ids = new Set(known.map(({ callId }) => callId));
    const withRecordings = known.map((call) => ({ ...call, recordings: this.#open.get(call.callId)?.recordings ?? call.recordings }));
    return [...withRecordings, ...[...this.#open.values()].filter(({ callId }) => !ids.has(callId))];
  }

  hasEnded(callId: string): boolean {
    return this.#ended.has(callId);
  }
}

/** A recording that was stopped needs no word about a crash any more, but is taken back like the others. */
function changed(before: readonly OpenRecording[], type: string, id: string, withdrawn: boolean): readonly OpenRecording[] {
  switch (type) {
    case 'recording.started':
      return [...before, { id, broken: false, withdrawn: false }];
    case 'recording.stopped':
    case 'recording.broken':
      return before.map((one) => (one.id === id ? { ...one, broken: true } : one));
    case 'recording.shredded':
      return before.filter((one) => one.id !== id);
    case 'consent':
      return withdrawn ? before.map((one) => ({ ...one, withdrawn: true })) : before;
    default:
      return before;
  }
}
