/** What a person sees in the terminal while calls run. */
import { test } from 'tap';
import type { LiveCallEvent } from '../../src/cli/live.ts';
import { terminalStyle, waterfallLines } from '../../src/cli/show.ts';
import { watchLines } from '../../src/cli/watch.ts';

const waterfall = {
  waitMs: 390.4,
  sttQueueMs: 0,
  sttMs: 44.8,
  dialogueMs: 70,
  ttsMs: 31,
  playoutMs: 12,
  perceivedMs: 405,
  chosenWaitMs: 380,
  speculation: 'hit',
  late: 'wait',
} as const;
const plain = terminalStyle(false);

test('a turn with its waterfall: the wait chosen, what was prepared, what was late, what bridged it', (t) => {
  const lines = waterfallLines([{ turn: 1, said: 'a table', waterfall, wireMs: 411 }], plain);
  t.match(lines[1], / 1 +390 +45 +70 +31 +12 +405 +411 +a table/);
  t.equal(lines[2]?.trim(), 'wait chosen 380, reply held, late: wait');
  const late = { ...waterfall, speculation: 'late', late: 'dialogue', bridgedMs: 210 } as const;
  const [, , why] = waterfallLines([{ turn: 2, said: '', waterfall: late, wireMs: null }], plain);
  t.equal(why?.trim(), 'wait chosen 380, reply on its way, opener at 210, late: dialogue');
  t.end();
});

test('watched calls are told apart, each with its own clock', (t) => {
  const line = watchLines(plain);
  const event = (callId: string, atMs: number, more: object): LiveCallEvent => ({ callId, atUs: atMs * 1000, ...more }) as LiveCallEvent;
  const said = { type: 'caller.said', body: {}, content: { text: 'hello' } };
  t.equal(line(event('abcdef', 1000, said)), 'abcd   0.0 s  Caller  hello');
  t.equal(line(event('abcdef', 3500, said)), 'abcd   2.5 s  Caller  hello');
  t.equal(line(event('123456', 4000, said)), '1234   0.0 s  Caller  hello');
  t.match(
    line(event('abcdef', 4000, { type: 'turn.latency', body: { turn: 1, waterfall } })),
    /answered after 405 ms: wait 390, .*wait chosen 380/,
  );
  t.match(
    line(event('abcdef', 5000, { type: 'turn.retracted', body: { turn: 1, heardMs: 120, cutoff: 'soft' } })),
    /turn 1 is taken back after 120 ms/,
  );
  t.equal(line(event('abcdef', 5000, { type: 'gateway.heartbeat', body: {} })), null);
  t.end();
});
