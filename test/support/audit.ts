/** A clock to turn by hand, a store in memory, and events, for tests of the log. */
import { ParleyError, type CallEvent, type Clock } from '../../src/contracts/index.ts';
import type { CheckpointRow, EventRow, PayloadRow, Store, StoreState, StreamRow, SubjectKeyRow } from '../../src/store/index.ts';

export interface HandClock extends Clock {
  /** Time passes on both clocks. */
  pass(ms: number): void;
  /** Somebody sets the wall clock. */
  set(ms: number): void;
}

/** 2026-11-20 09:20:00 UTC. */
export const MORNING_US = 1_795_166_400_000_000;

export function handClock(wallUs = MORNING_US): HandClock {
  let wall = wallUs;
  let mono = 5_000_000;
  return {
    wallUs: () => wall,
    monoUs: () => mono,
    pass: (ms) => {
      wall += ms * 1000;
      mono += ms * 1000;
    },
    set: (ms) => (wall += Math.round(ms * 1000)),
  };
}

/** The clocks of this machine. */
export const realClock: Clock = { wallUs: () => Date.now() * 1000, monoUs: () => Number(process.hrtime.bigint() / 1000n) };

export interface MemoryStore extends Store {
  readonly streams: StreamRow[];
  readonly events: EventRow[];
  readonly keys: SubjectKeyRow[];
  readonly payloads: PayloadRow[];
  readonly checkpoints: CheckpointRow[];
  /** How often each event came. */
  readonly sent: Map<string, number>;
  turn(state: StoreState): void;
}

/** Keeps rows as Postgres would: a key that is there already is left alone. */
export function memoryStore(state: StoreState = 'up'): MemoryStore {
  const listeners: ((state: StoreState, why: string) => void)[] = [];
  const sent = new Map<string, number>();
  const store: Omit<MemoryStore, 'state'> & { state: StoreState } = {
    ...{ state, why: '', streams: [], events: [], keys: [], payloads: [], checkpoints: [], sent },
    turn: (next) => {
      store.state = next;
      for (const listener of listeners) listener(next, '');
    },
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    onState: (listener) => void listeners.push(listener),
    insertAudit: async (batch) => {
      await Promise.resolve();
      if (store.state === 'down') throw new ParleyError('STORE_DOWN', 'down');
      for (const row of batch.streams) if (!store.streams.some((s) => s.streamId === row.streamId)) store.streams.push(row);
      for (const row of batch.events) {
        const key = `${row.streamId} ${String(row.seq)}`;
        sent.set(key, (sent.get(key) ?? 0) + 1);
        if (sent.get(key) === 1) store.events.push(row);
      }
      store.keys.push(...batch.subjectKeys);
      store.payloads.push(...batch.payloads);
    },
    insertCheckpoint: (row) => {
      store.checkpoints.push(row);
      return Promise.resolve();
    },
    eraseAnnounced: () => Promise.resolve({ subjects: 0, payloads: 0 }),
    hasEvents: (places) => {
      const stored = new Set(store.events.map((e) => `${e.streamId} ${String(e.seq)} ${e.hash.toString('hex')}`));
      return Promise.resolve(
        new Set(places.map((p) => `${p.streamId} ${String(p.seq)} ${p.hash.toString('hex')}`).filter((key) => stored.has(key))),
      );
    },
    use: () => Promise.reject(new ParleyError('STORE_DOWN', 'no database')),
    connectionFor: () => Promise.resolve(null),
  };
  return store;
}

export const stepEvent = (step: string, callId: string | null = null): CallEvent => ({
  type: 'step.entered',
  callId,
  body: { step, reason: 'test' },
});

/** Waits until `done` holds; throws after `limitMs`. */
export async function eventually(done: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await done())) {
    if (Date.now() > end) throw new Error('it did not happen in time');
    await new Promise((wake) => setTimeout(wake, 5));
  }
}
