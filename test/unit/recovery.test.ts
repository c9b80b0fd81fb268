/** A call outlives the process: what is kept of it, how it goes on, and that every call has exactly one end. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'tap';
import { CallsInLog } from '../../src/audit/calls-in-log.ts';
import { openCallsIn } from '../../src/audit/index.ts';
import type { DialogueEffect, DialogueEvent, KeptCall, OpenCalls } from '../../src/contracts/index.ts';
import type { EventRow } from '../../src/store/index.ts';
import { silentLogger } from '../../src/observability/index.ts';
import { spoken } from '../../src/stt/index.ts';
import { createFakePbx } from '../../src/telephony/index.ts';
import { noteRecorder } from '../support/note-recorder.ts';
import { gate, listen, listening, NOTICE, rig, say } from '../support/call-rig.ts';
import { settle } from '../support/virtual-time.ts';

class MemoryOpenCalls implements OpenCalls {
  readonly calls = new Map<string, KeptCall>();
  readonly #left: readonly KeptCall[];
  constructor(left: readonly KeptCall[] = []) {
    this.#left = left;
    for (const call of left) this.calls.set(call.callId, call);
  }
  keep(call: KeptCall): void {
    this.calls.set(call.callId, call);
  }
  drop(callId: string): void {
    this.calls.delete(callId);
  }
  left(): Promise<readonly KeptCall[]> {
    return Promise.resolve(this.#left);
  }
  settled(): Promise<void> {
    return Promise.resolve();
  }
}

const KEPT: KeptCall = {
  callId: '00000000-0000-4000-8000-000000000001',
  pbxId: 'fake-1',
  flow: 'test',
  flowVersion: 'v1',
  startedWallUs: 0,
  keptWallUs: 0,
  turns: 3,
  state: { step: 'when' },
  acts: [],
  recordings: [],
};

/** A new process: the PBX still has one call of ours. */
async function afterCrash(
  kept: readonly KeptCall[],
  answer: (event: DialogueEvent) => readonly DialogueEffect[],
  more: Parameters<typeof rig>[3] = {},
) {
  const openCalls = new MemoryOpenCalls(kept);
  const pbx = createFakePbx({ remote: { host: '127.0.0.1', port: 5000 } });
  // The PBX keeps what it has while nobody is connected.
  pbx.ring({ args: { flow: 'test' } });
  await settle();
  const made = rig(answer, spoken('i want a table', 32_000), {}, { openCalls, pbx, ...more });
  await made.runner.recover();
  await made.stt.start();
  await made.tts.start();
  await pbx.start();
  await settle();
  return { ...made, pbx, openCalls };
}

test('1. what a call comes to is kept from turn to turn, and nothing after its end', async (t) => {
  const openCalls = new MemoryOpenCalls();
  const call = await listening((event) => (event.t === 'heard' ? [say('fine'), listen] : []), undefined, {}, { openCalls });
  t.match(
    [...openCalls.calls.values()],
    [{ pbxId: call.id, flow: 'test', turns: 0, state: null }],
    'before the first turn: from the beginning',
  );
  await call.at(2000);
  gate(call, 'speech-start', 1950);
  await call.at(3400);
  gate(call, 'speech-end', 3300);
  await call.at(6000);
  t.match([...openCalls.calls.values()], [{ turns: 1 }]);
  call.pbx.callerHangsUp(call.id);
  await settle();
  t.equal(openCalls.calls.size, 0);
});

test('1a. as soon as the notice has been said whole the conversation is kept, before any turn', async (t) => {
  const openCalls = new MemoryOpenCalls();
  const call = rig((event) => (event.t === 'start' ? [NOTICE, say('when?'), listen] : []), spoken('x', 1000), {}, { openCalls });
  await call.begin();
  const kept = (): unknown => [...openCalls.calls.values()][0]?.state;
  t.equal(kept(), null, 'within the notice: from the beginning');
  await call.time.pass(5000);
  t.equal(call.audit.of('notice.completed').length, 1);
  t.not(kept(), null);
});

test('2. a call that the PBX still has goes on under its own id, with its turns, after a word of apology', async (t) => {
  const call = await afterCrash([KEPT], (event) => (event.t === 'recovered' ? [say('sorry'), say('when?'), listen] : []));
  await call.time.pass(3000);
  const types = call.audit.types();
  t.ok(types.includes('call.recovered') && !types.includes('call.incoming') && !types.includes('call.answered'));
  t.match(call.audit.of('call.recovered')[0], { callId: KEPT.callId, body: { turns: 3 }, content: { from: /./ } });
  t.same(
    call.audit.of('agent.said').map((event) => event.content?.['text']),
    ['sorry', 'when?'],
  );
  t.equal(call.runner.openCalls()[0]?.id, KEPT.callId);
  const { pbxId } = call.runner.openCalls()[0]!;
  call.pbx.callerHangsUp(pbxId);
  await settle();
  t.match(call.audit.of('call.ended'), [{ callId: KEPT.callId, body: { turns: 3 } }]);
  t.equal(call.openCalls.calls.size, 0);
});

test('3. without a turn in its memory it begins again, with its notice', async (t) => {
  const call = await afterCrash([{ ...KEPT, turns: 0, state: null }], (event) => (event.t === 'start' ? [NOTICE, listen] : []));
  await call.time.pass(2000);
  t.equal(call.audit.of('notice.completed').length, 1);
});

test('4. what the PBX has no more gets its one end; acts under way are logged as lost', async (t) => {
  const gone = { ...KEPT, pbxId: 'elsewhere', acts: [{ id: 'e4', tool: 'book', cost: 0.02 }] };
  const call = await afterCrash([gone], () => []);
  t.match(call.audit.of('tool.answered')[0], { callId: KEPT.callId, body: { reason: 'crash', mayHaveHappened: true } });
  t.match(call.audit.of('call.ended'), [{ callId: KEPT.callId, body: { outcome: 'lost', reason: 'gateway-crash', turns: 3 } }]);
  t.match(
    call.pbx.actions.at(-1),
    { t: 'leave', variables: { PARLEY_OUTCOME: 'gateway-restarted' } },
    'and an unknown call goes to the dialplan',
  );
  t.equal(call.openCalls.calls.size, 0);
});

test('5. a flow of another version cannot go on: the caller goes to the dialplan, the call has its end', async (t) => {
  const call = await afterCrash([{ ...KEPT, flowVersion: 'v0' }], () => []);
  t.match(call.pbx.actions.at(-1), { t: 'leave', variables: { PARLEY_OUTCOME: 'gateway-restarted' } });
  t.match(call.audit.of('call.ended'), [{ body: { outcome: 'lost', reason: 'flow-changed' } }]);
});

test('GDPR 18, 21: who objected while the gateway was away is not talked to again', async (t) => {
  const call = await afterCrash([KEPT], () => [say('sorry')], { admit: () => 'restricted' });
  t.match(call.pbx.actions.at(-1), { t: 'leave', variables: { PARLEY_OUTCOME: 'restricted' } });
  t.match(call.audit.of('call.ended'), [{ callId: KEPT.callId, body: { outcome: 'lost', reason: 'restricted' } }]);
  t.equal(call.audit.of('agent.said').length, 0);
});

test('6. on disk it is encrypted, survives a restart, and what is damaged is removed', async (t) => {
  const folder = t.testdir();
  const options = { folder: join(folder, 'open'), keyFile: join(folder, 'open.key'), logger: silentLogger, inLog: null };
  const first = await openCallsIn(options);
  const secret = { ...KEPT, state: { slots: { name: 'Miller' } } };
  for (let turns = 0; turns < 20; turns++) first.keep({ ...secret, turns });
  const other = { ...KEPT, callId: '00000000-0000-4000-8000-000000000002' };
  first.keep(other);
  const third = '00000000-0000-4000-8000-000000000003';
  first.keep({ ...KEPT, callId: third });
  await first.settled();
  first.drop(third);
  await first.settled();
  for (const name of await readdir(options.folder)) t.notMatch(await readFile(join(options.folder, name), 'latin1'), /Miller|step/);
  await writeFile(join(options.folder, `${other.callId}.call`), 'damaged');
  const second = await openCallsIn(options);
  t.same(await second.left(), [{ ...secret, turns: 19 }]);
  t.same(await readdir(options.folder), [`${secret.callId}.call`]);
});

const BEGUN = { id: 'take-of-before', broken: false, withdrawn: false };
const WITHDRAWN: DialogueEffect = {
  ...{ t: 'consent', result: 'withdrawn', how: 'voice', wordingVersion: '1', wordingSha256: '00' },
};

test('7. GDPR 7(3): a withdrawal after a crash takes what was recorded before it too; the log says that it was broken', async (t) => {
  const { recorder, takes } = noteRecorder();
  const recording = (event: DialogueEvent): readonly DialogueEffect[] => {
    if (event.t === 'recovered') return [{ t: 'record', act: 'start' }, say('sorry'), listen];
    return event.t === 'silence' ? [WITHDRAWN, { t: 'record', act: 'shred' }, say('it is gone'), listen] : [];
  };
  const call = await afterCrash([{ ...KEPT, recordings: [BEGUN] }], recording, { recorder });
  await call.time.pass(1000);
  t.match(call.audit.of('recording.broken'), [{ callId: KEPT.callId, body: { recording: BEGUN.id, why: 'crash' } }]);
  t.same(
    call.openCalls.calls.get(KEPT.callId)?.recordings,
    [
      { ...BEGUN, broken: true },
      { id: 'take-1', broken: false, withdrawn: false },
    ],
    'another crash would find both, and say the first no second time',
  );
  await call.time.pass(30_000);
  t.same(
    takes.map(({ id, what }) => [id, what.at(-1)]),
    [
      [BEGUN.id, 'shred'],
      ['take-1', 'shred'],
    ],
  );
  t.same(call.openCalls.calls.get(KEPT.callId)?.recordings, []);
  const types = call.audit.types();
  t.ok(types.indexOf('call.recovered') < types.indexOf('recording.broken'));
  t.ok(types.indexOf('consent') < types.indexOf('recording.shredded'), 'the withdrawal is in the log before');
});

test('8. GDPR 7(3): a withdrawal that the crash came into is carried out by the next process, also when the caller is gone', async (t) => {
  for (const pbxId of [KEPT.pbxId, 'elsewhere']) {
    const { recorder, takes } = noteRecorder();
    const kept = { ...KEPT, pbxId, recordings: [BEGUN, { id: 'second', broken: true, withdrawn: true }] };
    const call = await afterCrash([kept], () => [], { recorder });
    await call.time.pass(100);
    t.same(
      takes.map(({ id, what }) => [id, ...what]),
      [['second', 'shred'], [BEGUN.id]],
    );
    t.match(
      call.audit.of('recording.broken').map(({ body }) => body.recording),
      [BEGUN.id],
      'said once for each',
    );
    if (pbxId === 'elsewhere') {
      const types = call.audit.types();
      t.equal(types.filter((type) => type === 'call.ended').length, 1);
      t.ok(types.indexOf('recording.shredded') < types.indexOf('call.ended'));
    }
  }
});

test('9. what runs is kept with the call: one that dies in the middle of a recording leaves its name', async (t) => {
  const { recorder } = noteRecorder();
  const openCalls = new MemoryOpenCalls();
  const answer = (event: DialogueEvent): readonly DialogueEffect[] => (event.t === 'start' ? [{ t: 'record', act: 'start' }, listen] : []);
  await rig(answer, undefined, {}, { openCalls, recorder }).begin();
  t.match([...openCalls.calls.values()][0]?.recordings, [{ id: 'take-0', broken: false, withdrawn: false }]);
});

test('10. over any crashes at any moments every call of the log gets exactly one end', async (t) => {
  // What a process does to a call, in an order in which it may come to the disk; a crash comes after any of them.
  const STEPS = ['keep', 'incoming', 'turn', 'recording', 'ended', 'drop'] as const;
  type Step = (typeof STEPS)[number];
  const KEEPS_LATE: readonly Step[] = ['incoming', 'recording', 'turn', 'ended', 'keep', 'drop'];
  const life = fc.array(fc.record({ late: fc.boolean(), done: fc.integer({ min: 0, max: STEPS.length }) }), { minLength: 1, maxLength: 3 });
  const event = (type: string, callId: string, seq: number, body: object): EventRow => ({
    ...{ type, callId, seq, body: JSON.stringify(body), day: '2026-11-20', streamId: KEPT.callId, tsUs: seq, monoUs: seq },
    ...{ subjectId: null, payloadSha256: null, hash: Buffer.alloc(32) },
  });
  const folder = t.testdir();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 4 }), async (lives) => {
      const place = { folder: join(folder, String(run++)), keyFile: join(folder, 'open.key'), logger: silentLogger };
      const log: EventRow[] = [];
      const write = (type: string, callId: string, body: object = {}): void => void log.push(event(type, callId, log.length + 1, body));
      let calls = 0;
      for (const begun of [...lives, []]) {
        const inLog = new CallsInLog();
        for (const row of log) inLog.see(row);
        const openCalls = await openCallsIn({ ...place, inLog });
        // The next process: what was open is ended, in the log before it is forgotten, or not at all because it crashes first.
        const left = await openCalls.left();
        const closed = left.slice(0, begun.length === 0 ? left.length : begun.length - 1);
        for (const { callId } of closed) write('call.ended', callId);
        for (const { callId } of closed.slice(0, -1)) openCalls.drop(callId);
        for (const { late, done } of begun) {
          const callId = `00000000-0000-4000-8000-${String(++calls).padStart(12, '0')}`;
          const call = { ...KEPT, callId, pbxId: `pbx-${calls}` };
          for (const step of (late ? KEEPS_LATE : STEPS).slice(0, done)) {
            if (step === 'keep') openCalls.keep(call);
            else if (step === 'drop') openCalls.drop(callId);
            else if (step === 'recording') write('recording.started', callId, { recording: callId });
            else if (step === 'turn') write('caller.said', callId);
            else write(`call.${step}`, callId, { pbxId: call.pbxId, flow: 'test', flowVersion: 'v1' });
          }
        }
        await openCalls.settled();
      }
      const ends = (id: string): number => log.filter(({ type, callId }) => type === 'call.ended' && callId === id).length;
      for (const { type, callId } of log) if (type === 'call.incoming') t.equal(ends(callId ?? ''), 1);
      for (const { callId } of log) t.ok(ends(callId ?? '') <= 1);
    }),
    { numRuns: 150 },
  );
});

test('11. a call that was not kept in time begins again from what the log has, with its recordings', (t) => {
  const inLog = new CallsInLog();
  const row = (type: string, body: object): EventRow => ({
    ...{ type, callId: KEPT.callId, seq: 1, body: JSON.stringify(body), day: '2026-11-20', streamId: KEPT.callId, tsUs: 7, monoUs: 7 },
    ...{ subjectId: null, payloadSha256: null, hash: Buffer.alloc(32) },
  });
  inLog.see(row('call.incoming', { pbxId: 'fake-1', flow: 'test', flowVersion: 'v1', to: '700' }));
  for (const recording of ['first', 'second', 'third']) inLog.see(row('recording.started', { recording }));
  inLog.see(row('recording.stopped', { recording: 'first' }));
  inLog.see(row('recording.shredded', { recording: 'third' }));
  t.match(inLog.open([]), [{ callId: KEPT.callId, pbxId: 'fake-1', startedWallUs: 7, turns: 0, state: null }]);
  inLog.see(row('consent', { result: 'withdrawn' }));
  t.same(
    inLog.open([KEPT])[0]?.recordings,
    [
      { id: 'first', broken: true, withdrawn: true },
      { id: 'second', broken: false, withdrawn: true },
    ],
    'the log knows better than what was kept',
  );
  inLog.see(row('call.ended', {}));
  t.same(inLog.open([KEPT]), []);
  t.end();
});
