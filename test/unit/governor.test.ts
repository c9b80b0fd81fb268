/** The capacity governor: its promises as properties, its rules as examples. */
import fc from 'fast-check';
import { test } from 'tap';
import {
  govern,
  GOVERNOR_POLICY,
  newGovernor,
  type Decision,
  type GovernorEvent,
  type GovernorPolicy,
  type Wait,
} from '../../src/call/governor.ts';

const policy: GovernorPolicy = { ...GOVERNOR_POLICY, windowMs: 1000, holdMs: 2000, leastSamples: 2 };
const level = ({ action }: Decision): number => ['admit', 'degrade', 'people'].indexOf(action);

function run(events: readonly GovernorEvent[], rules = policy): (Decision & { readonly atMs: number })[] {
  let state = newGovernor(rules);
  return events.map((event) => {
    const [next, decision] = govern(state, event);
    state = next;
    return { ...decision, atMs: state.nowMs };
  });
}

const wait = fc.constantFrom<Wait>('sttQueue', 'llmFirstToken', 'ttsFirstAudio', 'loopLag');
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ t: fc.constant('waited' as const), wait, ms: fc.nat(2500) }) },
  fc.record({ t: fc.constant('calls' as const), open: fc.nat(120) }),
  fc.record({ t: fc.constant('look' as const) }),
);
const history = fc.array(fc.record({ step, pauseMs: fc.oneof(fc.nat(60), fc.nat(3000)) }), { maxLength: 60 }).map((list) => {
  let atMs = 0;
  return list.map(({ step: what, pauseMs }): GovernorEvent => ({ ...what, atMs: (atMs += pauseMs) }));
});

const waits = (name: Wait, ms: number, atMs: number, count = 3): GovernorEvent[] =>
  Array.from({ length: count }, (_, i) => ({ t: 'waited', wait: name, ms, atMs: atMs + i }));
const look = (atMs: number): GovernorEvent => ({ t: 'look', atMs });

test('it never flaps: what got worse stays so for the hold time', (t) => {
  fc.assert(
    fc.property(history, (events) => {
      let worseAt = -Infinity;
      let before = 0;
      for (const decision of run(events)) {
        const now = level(decision);
        if (now < before && decision.atMs - worseAt < policy.holdMs) return false;
        if (now > before) worseAt = decision.atMs;
        if (decision.changed !== (now !== before)) return false;
        before = now;
      }
      return true;
    }),
  );
  t.pass();
  t.end();
});

test('monotone: longer waits and more calls never lead to a milder decision', (t) => {
  fc.assert(
    fc.property(history, fc.array(fc.nat(1500), { minLength: 60, maxLength: 60 }), (events, more) => {
      const heavier = events.map((event, i): GovernorEvent => {
        if (event.t === 'waited') return { ...event, ms: event.ms + (more[i] ?? 0) };
        return event.t === 'calls' ? { ...event, open: event.open + (more[i] ?? 0) } : event;
      });
      const harder = run(heavier);
      return run(events).every((decision, i) => level(decision) <= level(harder[i]!));
    }),
  );
  t.pass();
  t.end();
});

test('it recovers: quiet for the window and the hold time of every level, and calls are admitted', (t) => {
  fc.assert(
    fc.property(history, (events) => {
      const last = events.at(-1)?.atMs ?? 0;
      const quiet: GovernorEvent[] = [{ t: 'calls', open: 0, atMs: last }];
      for (let ms = 0; ms <= policy.windowMs + 2 * policy.holdMs + 200; ms += 100) quiet.push(look(last + ms));
      const end = run([...events, ...quiet]).at(-1);
      return end?.action === 'admit' && end.reasons.length === 0 && end.savings.length === 0;
    }),
  );
  t.pass();
  t.end();
});

test('every decision but admit says why', (t) => {
  fc.assert(fc.property(history, (events) => run(events).every(({ action, reasons }) => (action === 'admit') === (reasons.length === 0))));
  t.pass();
  t.end();
});

test('two limits, and what is saved on', (t) => {
  const degraded = run(waits('llmFirstToken', 700, 0)).at(-1);
  t.match(degraded, { action: 'degrade', savings: ['no-speculation', 'shorter-replies', 'smaller-model'], held: false });
  t.same(degraded?.reasons, [{ why: 'wait', wait: 'llmFirstToken', p95Ms: 700, limitMs: 600, action: 'degrade' }]);
  t.match(run(waits('ttsFirstAudio', 300, 0)).at(-1), {
    action: 'degrade',
    savings: ['no-speculation', 'recorded-prompts', 'shorter-replies'],
  });
  t.match(run(waits('sttQueue', 900, 0)).at(-1), { action: 'people', savings: [] });
  t.match(run(waits('loopLag', 20, 0)).at(-1), { action: 'admit', reasons: [] });
  t.match(run(waits('sttQueue', 9000, 0, 1)).at(-1), { action: 'admit' }, 'one wait says nothing yet');
  t.end();
});

test('hysteresis: a little under the limit is not yet better', (t) => {
  const events = [...waits('sttQueue', 200, 0), ...[1500, 3000, 4500, 6000].flatMap((atMs) => waits('sttQueue', 120, atMs, 4))];
  const decisions = run(events);
  t.equal(decisions.at(-1)?.action, 'degrade', '120 ms is above 70 % of 150 ms');
  t.equal(decisions.at(-1)?.held, true);
  const recovered = run([...events, ...[7500, 9000].flatMap((atMs) => waits('sttQueue', 50, atMs, 4)), look(9600)]);
  t.equal(recovered.at(-1)?.action, 'admit');
  t.end();
});

test('from people back by way of degrade', (t) => {
  const events = [...waits('sttQueue', 900, 0), ...[1100, 1900, 2700, 3500].flatMap((atMs) => waits('sttQueue', 300, atMs, 4))];
  t.equal(run(events).at(-1)?.action, 'degrade');
  t.end();
});

test('calls, engines that are down, a clock that goes back', (t) => {
  t.match(run([{ t: 'calls', open: 80, atMs: 0 }]).at(-1), { action: 'degrade', reasons: [{ why: 'calls', open: 80, limit: 80 }] });
  t.match(run([{ t: 'calls', open: 100, atMs: 0 }]).at(-1), { action: 'people' });
  const down: GovernorEvent = { t: 'engine', engine: 'stt', up: false, atMs: 0 };
  t.same(run([down]).at(-1)?.reasons, [{ why: 'engine-down', engine: 'stt', action: 'people' }]);
  t.match(run([down, look(50)]).at(-1), { action: 'people' });
  t.match(run([down, { ...down, up: true, atMs: 100 }]).at(-1), { action: 'admit', held: false }, 'what is back serves at once');
  const late = waits('sttQueue', 700, 0);
  t.match(run([down, ...late, { ...down, up: true, atMs: 100 }]).at(-1), { action: 'people' }, 'the waits that it left behind count');
  t.match(run([...late, look(-1e9)]).at(-1), { action: 'people' });
  t.end();
});

test('one late answer turns nobody away', (t) => {
  const quick = waits('sttQueue', 20, 10, 8);
  t.match(run([...waits('sttQueue', 5000, 0, 1), ...quick]).at(-1), { action: 'admit' });
  t.match(run([...waits('sttQueue', 5000, 0, 2), ...quick]).at(-1), { action: 'people' });
  t.end();
});

test('a policy that could not work is refused', (t) => {
  const limits = { ...policy.limits, sttQueue: { degradeMs: 500, peopleMs: 100 } };
  for (const wrong of [
    { limits },
    { calls: { degrade: 5, people: 2 } },
    { recoverShare: 0 },
    { recoverShare: 2 },
    { holdMs: -1 },
    { windowMs: 0 },
  ])
    t.throws(() => newGovernor({ ...policy, ...wrong }), RangeError);
  t.end();
});
