/** A colleague is asked at a real SIP phone, in a real call: what a key, a busy line, a hang-up and the console come to. */
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { answerCalls } from '../../src/cli/caller/index.ts';
import { loadFlowTests } from '../../src/dialogue/index.ts';
import { startPrivateAsterisk } from '../../src/telephony/index.ts';
import { asteriskOptions, leftovers, until } from '../support/asterisk.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';
import { startRig } from '../support/service.ts';

const FLOW = `flow: gate
language: en
person: host
start: greeting
prompts:
  greeting: This is an automated assistant.
  found: It is done.
  refused: It is not done.
tools:
  find:
    description: Looks a desk up
    effect: read
    approval: true
    arguments: { name: {} }
    result: { found: { type: boolean } }
    port: directory.find
steps:
  greeting: { say: greeting, kind: notice, next: look }
  look: { do: find, with: { name: host }, next: found, failed: refused }
  found: { end: hangup, prompt: found, outcome: found }
  refused: { end: hangup, prompt: refused, outcome: refused }
`;
const hears = { wait: 'agent-started' } as const;

test('approvals at desk phones', { timeout: 240_000 }, async (t) => {
  const folder = await testFolder();
  const flows = join(folder, 'flows');
  await mkdir(flows);
  await copyFile('config/flows/booking.yaml', join(flows, 'booking.yaml'));
  await writeFile(join(flows, 'gate.yaml'), FLOW);
  const postgres = await startPostgres();
  const busy = await answerCalls({ script: [], refuse: { status: 486, reason: 'Busy Here' } });
  const silent = await answerCalls({ script: [hears, { pauseMs: 500 }, { hangup: true }] });
  const agrees = await answerCalls({ script: [hears, { pauseMs: 1500 }, { keys: '1' }, { wait: 'hangup' }] });
  const away = await answerCalls({ script: [{ keys: '1' }, { wait: 'hangup' }], ringMs: 60_000 });
  const phones = { 101: busy, 102: silent, 103: agrees, 104: away };
  const desks = Object.entries(phones).map(([extension, { host, port }]) => ({ extension, contact: `sip:${extension}@${host}:${port}` }));
  // Who stands in for callers is nobody's stand-in for an approval: a busy desk must not lead to 103.
  const asterisk = await startPrivateAsterisk(await asteriskOptions(t, { desks, fallback: 'PJSIP/103' }));
  t.teardown(async () => {
    await asterisk.stop();
    await Promise.all(Object.values(phones).map((phone) => phone.close()));
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  });
  const config = (asked: readonly string[]): string => `flows: { directory: "${flows}" }
approvals: { desks: [${asked.join(', ')}], timeoutSeconds: 30, reviewFolder: "${join(folder, 'review')}" }
data: { review: { days: 30, basis: legitimateInterests } }`;
  const place = (extension: number): string => `{ context: parley-desks, extension: "${extension}" }`;
  const places = `busy: ${place(101)}, silent: ${place(102)}, agrees: ${place(103)}, away: ${place(104)}`;

  await t.test('one is busy, one hangs up, one presses 1: it is done, and the log has each ring and who decided where', async (t) => {
    const database = await postgres.database();
    const rig = await startRig({
      ...{ folder: join(folder, 'one'), asterisk, databaseUrl: database.url(), mediaPort: 29_000, desks: places },
      more: config(['busy', 'silent', 'agrees']),
    });
    t.teardown(() => rig.stop());
    await until('the link to Asterisk', () => rig.service.runner.linkUp);
    const report = await rig.call([{ wait: 'hangup', timeoutMs: 60_000 }], { extension: 'flow_gate' });
    await until('the end of the call', () => rig.types().includes('call.ended'));
    t.equal(report.problem, null);
    t.equal(rig.of('call.ended')[0]!.body.outcome, 'found');
    t.equal(rig.of('call.incoming').length, 1, 'a phone that is asked is no caller');
    const heard = await agrees.next();
    t.equal(heard.conversation?.end, 'remote-bye');
    await until('everything in Postgres', () => rig.service.audit.backlog === 0);
    const rows = await database.query<{ type: string; text: string }>(
      `SELECT type, body::text AS text FROM audit.event WHERE type LIKE 'approval.%' ORDER BY seq`,
    );
    t.same(
      rows.map(({ type, text }) => `${type} ${/"(busy|silent|agrees|phone)"/.exec(text)?.[1] ?? ''}`.trim()),
      [
        'approval.requested',
        'approval.ringing busy',
        'approval.ringing silent',
        'approval.ringing agrees',
        'approval.given phone',
        'approval.decided',
      ],
    );
    t.notMatch(rows.map(({ text }) => text).join(), /Looks a desk up/, 'what it is about is content');
    await until('no channel and no bridge', async () => (await leftovers(asterisk)).length === 0);
    await rig.stop();
  });

  await t.test(
    'a phone rings and the console denies with a correction: the ringing ends, it is not done, suggestions are there',
    async (t) => {
      const database = await postgres.database();
      const rig = await startRig({
        ...{ folder: join(folder, 'two'), asterisk, databaseUrl: database.url(), mediaPort: 29_200, desks: places },
        more: config(['away']),
      });
      t.teardown(() => rig.stop());
      await until('the link to Asterisk', () => rig.service.runner.linkUp);
      const token = (await readFile(join(folder, 'two', 'token'), 'utf8')).trim();
      const post = async (path: string, input: object): Promise<{ suggestion?: string[] }> => {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
        const response = await fetch(`http://127.0.0.1:${rig.service.http.port}${path}`, {
          method: 'POST',
          headers,
          body: JSON.stringify(input),
        });
        t.equal(response.status, 200);
        return (await response.json()) as { suggestion?: string[] };
      };
      const calling = rig.call([{ wait: 'hangup', timeoutMs: 60_000 }], { extension: 'flow_gate' });
      await until('the request', () => rig.of('approval.requested').length === 1);
      await until('a phone that rings', async () => (await leftovers(asterisk)).some((id) => id.includes('-dial-')));
      const { callId, body } = rig.of('approval.requested')[0]!;
      const decision = { call: callId, id: body.id, decision: 'denied', by: 'ann' };
      const { suggestion = [] } = await post('/v1/approvals/decide', { ...decision, correction: 'Ask for the reception instead' });
      t.equal((await calling).problem, null);
      await until('the end of the call', () => rig.types().includes('call.ended'));
      t.equal(rig.of('call.ended')[0]!.body.outcome, 'refused');
      t.equal((await away.next()).conversation, null, 'nobody picked up');
      t.same(suggestion.toSorted(), (await readdir(join(folder, 'review'))).toSorted());
      const flowTest = suggestion.find((name) => name.endsWith('.test.yaml')) ?? '';
      t.match(flowTest, /^gate-/);
      t.match(await loadFlowTests(join(folder, 'review', flowTest)), { tests: [{ approves: 'no' }] });
      await until('everything in Postgres', () => rig.service.audit.backlog === 0);
      const bodies = await database.query<{ text: string }>(`SELECT body::text AS text FROM audit.event`);
      t.notMatch(bodies.map(({ text }) => text).join(), /reception/, 'a correction is content');
      await until('no channel and no bridge', async () => (await leftovers(asterisk)).length === 0);
    },
  );
});
