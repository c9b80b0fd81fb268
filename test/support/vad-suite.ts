/** What every detector behind contracts/vad must do. The rig makes a call whose voice is where the test says. */
import type { Test } from 'tap';
import type { GateEvent, Vad, VadEvent, VadSession } from '../../src/contracts/index.ts';

export interface VadRig {
  readonly vad: Vad;
  /**
   * A call with a voice in [fromSample, toSample), silence around it, and its talk gate: `play` lets all of it happen and resolves
   * when no event is to come any more.
   */
  readonly call: (voice: { fromSample: number; toSample: number } | null) => Promise<{ session: VadSession; play: () => Promise<void> }>;
  /** The engine dies. */
  readonly crash: () => Promise<void>;
  /** Resolves when it is back. */
  readonly recovered: () => Promise<void>;
}

/** Starts and ends alternate, beginning with a start; samples do not go back. */
export function wellFormed(events: readonly VadEvent[]): boolean {
  return events.every((event, index) => {
    const before = events[index - 1];
    return event.t === (index % 2 === 0 ? 'speech-start' : 'speech-end') && (before === undefined || event.sample >= before.sample);
  });
}

const edge = (t: GateEvent['t'], sample: number): GateEvent => ({ t, sample, atUs: sample });

export async function vadSuite(t: Test, make: (t: Test) => Promise<VadRig>): Promise<void> {
  await t.test('a voice is reported on the sample clock, by the model', async (t) => {
    const { vad, call } = await make(t);
    const events: VadEvent[] = [];
    const { session, play } = await call({ fromSample: 16_000, toSample: 40_000 });
    session.onEvent((event) => events.push(event));
    await play();
    t.equal(vad.state, 'up');
    t.ok(wellFormed(events) && events.length >= 2 && events.length % 2 === 0);
    t.ok(
      events.every((event) => event.by === 'model' || event.t === 'speech-end'),
      'a pause may be known to the gate first',
    );
    t.ok(Math.abs((events[0]?.sample ?? 0) - 16_000) <= 3200, `begins at ${String(events[0]?.sample)}`);
    t.ok(Math.abs((events.at(-1)?.sample ?? 0) - 40_000) <= 4800, `ends at ${String(events.at(-1)?.sample)}`);
    session.close();
    t.equal(vad.stats().sessions, 0);
  });

  await t.test('what the gate takes for speech and is none is not reported', async (t) => {
    const { call } = await make(t);
    const events: VadEvent[] = [];
    const { session, play } = await call(null);
    session.onEvent((event) => events.push(event));
    await play();
    t.same(events, []);
    session.close();
  });

  await t.test('without an engine the edges of the gate pass through; afterwards it is asked again', async (t) => {
    const { vad, call, crash, recovered } = await make(t);
    const states: string[] = [];
    vad.onState((state) => states.push(state));
    const { session } = await call(null);
    const events: VadEvent[] = [];
    session.onEvent((event) => events.push(event));
    session.gate(edge('speech-start', 100));
    await crash();
    session.gate(edge('speech-end', 900));
    t.equal(vad.state, 'down');
    session.gate(edge('speech-start', 2000));
    session.gate(edge('speech-end', 2900));
    t.same(
      events.map(({ t, sample, by }) => [t, sample, by]),
      [
        ['speech-start', 100, 'gate'],
        ['speech-end', 900, 'gate'],
        ['speech-start', 2000, 'gate'],
        ['speech-end', 2900, 'gate'],
      ],
    );
    t.equal(vad.stats().unheard, 2);
    await recovered();
    t.equal(vad.state, 'up');
    t.same(states, ['down', 'up']);
    t.equal(vad.stats().restarts, 1);
    session.close();
  });

  await t.test(
    'nothing is heard of a call after its close; edges twice in a row, and an end without a start, change nothing',
    async (t) => {
      const { vad, call } = await make(t);
      const { session } = await call(null);
      const events: VadEvent[] = [];
      session.onEvent((event) => events.push(event));
      session.gate(edge('speech-end', 50));
      session.gate(edge('speech-start', 100));
      session.gate(edge('speech-start', 120));
      session.close();
      session.close();
      session.gate(edge('speech-end', 900));
      await vad.stop();
      await vad.stop();
      t.same(events, []);
      t.equal(vad.stats().sessions, 0);
    },
  );
}
