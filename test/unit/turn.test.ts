/** The turn engine, rule by rule in reading order, then what holds for every order of events. */
import fc from 'fast-check';
import { test } from 'tap';
import type { Expectation, TurnEffect, TurnEvent } from '../../src/contracts/index.ts';
import { decide, TURN_WORDS, type TurnState } from '../../src/turn/index.ts';
import { Line, play, wildCall } from '../support/turn-line.ts';

test('the fixed wait counts from the last voiced sample; the decode runs under it', (t) => {
  const line = new Line().reply(0, 1000).speech(2000, 3000).words(3300, 'hello').until(4000);
  t.strictSame(line.trace, ['3200 decode 1 [1850, 3150)', '3600 because committed', '3600 commit 1 "hello" wait 600']);
  t.end();
});

test('no commit before the words are there, and then at once', (t) => {
  const line = new Line().reply(0, 1000).speech(2000, 3000).until(4000).words(4100, 'hello');
  t.strictSame(line.trace.slice(1), ['4100 because committed', '4100 commit 1 "hello" wait 1100']);
  t.end();
});

test('speech that goes on within the wait is one turn, decoded again from its first sample', (t) => {
  const line = new Line().reply(0, 1000).speech(2000, 3000).words(3250, 'for four');
  line.speech(3500, 4200).words(4500, 'for four on friday').until(6000);
  t.strictSame(line.trace, [
    '3200 decode 1 [1850, 3150)',
    '3560 because resumed',
    '4400 decode 2 [1850, 4350)',
    '4800 because committed',
    '4800 commit 1 "for four on friday" wait 600',
  ]);
  t.end();
});

test('a decode that runs when speech goes on is given up, and its late words are ignored', (t) => {
  const line = new Line().reply(0, 1000).speech(2000, 3000);
  line.tell({ t: 'speech-start', atMs: 3400, sample: 3350 * 16 }).words(3450, 'for', 1);
  t.strictSame(line.trace, ['3200 decode 1 [1850, 3150)', '3400 abort-decode 1', '3400 because resumed', '3450 because late-decode']);
  t.end();
});

test('an expected yes or no, and the last digit of a number, end the turn early', (t) => {
  const answer = (text: string, expect: Expectation): number | undefined => {
    const line = new Line().reply(0, 1000, { expect }).speech(2000, 2400).words(2700, text).until(9000);
    return line.effects.find((effect) => effect.t === 'commit')?.waitMs;
  };
  t.equal(answer('yes', { kind: 'yes-no' }), 300);
  t.equal(answer('Yes.', { kind: 'yes-no' }), 300, 'as soon as the words are there');
  t.equal(answer('yes saturday', { kind: 'yes-no' }), 600);
  t.equal(answer('yes', { kind: 'free' }), 600);
  t.equal(answer('one two three four', { kind: 'digits', min: 4, max: 4 }), 300);
  t.equal(answer('12 34', { kind: 'digits', min: 4, max: 4 }), 300);
  t.equal(answer('one two three', { kind: 'digits', min: 3, max: 4 }), 600);
  t.end();
});

test('words of another language end an answer early when they are given', (t) => {
  const line = new Line({ words: TURN_WORDS.de })
    .reply(0, 1000, { expect: { kind: 'yes-no' } })
    .speech(2000, 2400)
    .words(2700, 'Ja!');
  t.equal(line.trace.at(-1), '2700 commit 1 "Ja!" wait 300');
  t.end();
});

test('an utterance that is too long is cut, and its rest is heard after our reply', (t) => {
  const line = new Line({ maxUtteranceMs: 5000 }).reply(0, 1000);
  line
    .tell({ t: 'speech-start', atMs: 2060, sample: 2000 * 16 })
    .until(7000)
    .words(7100, 'a long story');
  line.tell({ t: 'reply', atMs: 7200, interruptible: true, expect: null }).tell({ t: 'agent-start', atMs: 7200 });
  line.tell({ t: 'speech-end', atMs: 8200, sample: 8000 * 16 }).words(8300, 'to its end');
  line.tell({ t: 'agent-end', atMs: 9000, interrupted: false });
  t.strictSame(line.trace, [
    '7000 because cut',
    '7000 decode 1 [1850, 6800)',
    '7100 because committed-cut',
    '7100 commit 1 "a long story" wait 100',
    '8200 decode 2 [6800, 8150)',
    '9000 because committed',
    '9000 commit 2 "to its end" wait 1000',
  ]);
  t.end();
});

test('it is cut at its last pause when there is one late enough', (t) => {
  const line = new Line({ maxUtteranceMs: 5000 }).reply(0, 1000).speech(2000, 6000);
  line.tell({ t: 'speech-start', atMs: 6360, sample: 6300 * 16 }).until(7000);
  t.strictSame(line.trace.slice(-2), ['7000 because cut', '7000 decode 2 [1850, 6000)']);
  t.end();
});

test('a noise without words is ignored once, twice in a row it is not-understood', (t) => {
  const line = new Line()
    .reply(0, 1000)
    .speech(2000, 2100)
    .words(2400, ' [BLANK_AUDIO] ')
    .speech(4000, 4100)
    .words(4400, '...')
    .until(5000);
  t.strictSame(line.trace, [
    '2300 decode 1 [1850, 2250)',
    '2700 because noise',
    '4300 decode 2 [3850, 4250)',
    '4700 because noise-again',
    '4700 not-understood 1',
  ]);
  t.end();
});

test('a recogniser that fails, or never answers, is not-understood', (t) => {
  const failed = new Line().reply(0, 1000).speech(2000, 3000).tell({ t: 'decode-failed', atMs: 3250, decode: 1 }).until(4000);
  t.strictSame(failed.trace.slice(1), ['3600 because decode-failed', '3600 not-understood 1']);
  const lost = new Line({ decodeTimeoutMs: 5000 }).reply(0, 1000).speech(2000, 3000).until(9000);
  t.strictSame(lost.trace.slice(1), [
    '8200 abort-decode 1',
    '8200 because decode-lost',
    '8200 because decode-failed',
    '8200 not-understood 1',
  ]);
  t.end();
});

test('barge-in: voice over an interruptible reply stops it, then it is the caller’s turn', (t) => {
  const line = new Line();
  line.tell({ t: 'reply', atMs: 0, interruptible: true, expect: null }).tell({ t: 'agent-start', atMs: 100 });
  line
    .tell({ t: 'speech-start', atMs: 1060, sample: 1000 * 16 })
    .until(1240)
    .tell({ t: 'agent-end', atMs: 1260, interrupted: true });
  line
    .tell({ t: 'speech-end', atMs: 2200, sample: 2000 * 16 })
    .words(2300, 'stop')
    .until(3000);
  t.strictSame(line.trace, [
    '1240 because barge-in',
    '1240 stop-speaking',
    '2200 decode 1 [850, 2150)',
    '2600 because committed',
    '2600 commit 1 "stop" wait 600',
  ]);
  t.end();
});

test('a reply stopped for mere noise is answered at once, so that nobody waits in silence', (t) => {
  const line = new Line();
  line.tell({ t: 'reply', atMs: 0, interruptible: true, expect: null }).tell({ t: 'agent-start', atMs: 100 });
  line
    .tell({ t: 'speech-start', atMs: 1060, sample: 1000 * 16 })
    .until(1240)
    .tell({ t: 'agent-end', atMs: 1260, interrupted: true });
  line
    .tell({ t: 'speech-end', atMs: 1600, sample: 1400 * 16 })
    .words(1700, '')
    .until(3000);
  t.strictSame(line.trace.slice(-2), ['2000 because stopped-for-noise', '2000 not-understood 1']);
  t.end();
});

test('what is said over a notice does not stop it and is answered after it', (t) => {
  const line = new Line();
  line.tell({ t: 'reply', atMs: 0, interruptible: false, expect: null }).tell({ t: 'agent-start', atMs: 100 });
  line.speech(1000, 2000).words(2300, 'hello').until(4000).speech(4000, 5000).words(5300, 'book a table').until(7000);
  line.tell({ t: 'agent-end', atMs: 7000, interrupted: false });
  t.strictSame(line.trace, [
    '2200 decode 1 [850, 2150)',
    '5200 decode 2 [3850, 5150)',
    '7000 because committed',
    '7000 commit 1 "hello book a table" wait 2000',
  ]);
  t.end();
});

test('a short sound in the middle of our reply is a backchannel; near its end it may be an answer', (t) => {
  const said = (fromMs: number): string | undefined => {
    const line = new Line({ bargeInMs: 500 });
    line.tell({ t: 'reply', atMs: 0, interruptible: true, expect: { kind: 'yes-no' } }).tell({ t: 'agent-start', atMs: 0 });
    line
      .speech(fromMs, fromMs + 200)
      .words(fromMs + 450, 'yes')
      .tell({ t: 'agent-end', atMs: 5000, interrupted: false });
    return line.until(6000).trace.find((entry) => /commit|backchannel/.test(entry));
  };
  t.equal(said(1000), '5000 because backchannel');
  t.equal(said(4400), '5000 because committed');
  t.end();
});

test('keys: the expected number of digits commits at once, otherwise # or a pause does', (t) => {
  const keys = (digits: string, expect: Expectation): string | undefined => {
    const line = new Line().reply(0, 1000, { expect });
    digits.split('').forEach((digit, i) => line.tell({ t: 'dtmf', atMs: 2000 + i * 300, digit }));
    return line.until(20000).trace.find((entry) => entry.includes('commit-digits'));
  };
  t.equal(keys('1234', { kind: 'digits', min: 4, max: 4 }), '2900 commit-digits 1 1234');
  t.equal(keys('12', { kind: 'digits', min: 4, max: 4 }), '4800 commit-digits 1 12');
  t.equal(keys('12#', { kind: 'digits', min: 1, max: 8 }), '2600 commit-digits 1 12');
  t.equal(keys('1', { kind: 'choice' }), '2000 commit-digits 1 1');
  t.equal(keys('0', { kind: 'free' }), '4500 commit-digits 1 0');
  t.equal(keys('#', { kind: 'free' }), undefined);
  t.end();
});

test('a key stops an interruptible reply at once and counts; over a notice it is kept for after it', (t) => {
  const line = new Line();
  line.tell({ t: 'reply', atMs: 0, interruptible: true, expect: { kind: 'choice' } }).tell({ t: 'agent-start', atMs: 0 });
  line.tell({ t: 'dtmf', atMs: 1000, digit: '2' }).tell({ t: 'agent-end', atMs: 1020, interrupted: true });
  t.strictSame(line.trace, ['1000 because key-stops-speech', '1000 stop-speaking', '1020 because keys', '1020 commit-digits 1 2']);
  const notice = new Line();
  notice.tell({ t: 'reply', atMs: 0, interruptible: false, expect: { kind: 'choice' } }).tell({ t: 'agent-start', atMs: 0 });
  notice.tell({ t: 'dtmf', atMs: 1000, digit: '2' }).tell({ t: 'agent-end', atMs: 3000, interrupted: false });
  t.strictSame(notice.trace, ['3000 because keys', '3000 commit-digits 1 2']);
  t.end();
});

test('keys win over speech beside them', (t) => {
  const line = new Line().reply(0, 1000, { expect: { kind: 'digits', min: 2, max: 2 } }).speech(2000, 2500);
  line.tell({ t: 'dtmf', atMs: 2800, digit: '1' }).words(2900, 'er').tell({ t: 'dtmf', atMs: 3400, digit: '2' }).until(5000);
  t.strictSame(line.trace.slice(1), ['3400 because keys', '3400 commit-digits 1 12']);
  t.end();
});

test('what was dropped for keys is never answered', (t) => {
  const line = new Line()
    .reply(0, 1000, { expect: { kind: 'digits', min: 2, max: 2 } })
    .speech(2000, 2500)
    .words(2800, 'er');
  line.tell({ t: 'dtmf', atMs: 2900, digit: '1' }).tell({ t: 'dtmf', atMs: 3000, digit: '2' });
  t.strictSame(line.reply(3100, 4000).until(9000).trace.slice(1), ['3000 because keys', '3000 commit-digits 1 12']);
  t.end();
});

test('words between two noises: the count begins anew', (t) => {
  const line = new Line().reply(0, 1000).speech(2000, 2100).words(2400, '').speech(4000, 4100).words(4400, 'yes').reply(5000, 6000);
  line.speech(7000, 7100).words(7400, '').until(8000);
  t.equal(line.trace.at(-1), '7700 because noise');
  t.end();
});

test('a reply of several clips begins once; a clip that starts while we stop is none', (t) => {
  const line = new Line().tell({ t: 'reply', atMs: 0, interruptible: true, expect: null }).tell({ t: 'agent-start', atMs: 0 });
  line.tell({ t: 'speech-start', atMs: 1060, sample: 1000 * 16 }).tell({ t: 'agent-start', atMs: 1200 });
  t.equal(line.until(1240).trace.at(-1), '1240 stop-speaking');
  line.tell({ t: 'agent-start', atMs: 1250 }).until(3000);
  t.equal(line.trace.filter((entry) => entry.includes('stop-speaking')).length, 1);
  t.end();
});

test('a short word before our reply began is no backchannel to it', (t) => {
  const line = new Line({ bargeInMs: 500 }).reply(0, 1000).speech(2000, 3000).words(3300, 'a table').until(3700).speech(3700, 3850);
  line.words(4100, 'please').reply(4200, 8000).until(9000);
  t.equal(line.trace.at(-1), '8000 commit 2 "please" wait 4150');
  t.end();
});

test('a reply that comes while the one before is being stopped waits for its turn', (t) => {
  const line = new Line().tell({ t: 'reply', atMs: 0, interruptible: true, expect: null }).tell({ t: 'agent-start', atMs: 0 });
  line.tell({ t: 'dtmf', atMs: 500, digit: '1' }).tell({ t: 'reply', atMs: 510, interruptible: false, expect: { kind: 'choice' } });
  line.tell({ t: 'agent-end', atMs: 520, interrupted: true });
  t.equal(line.state.agent, 'queued', 'the digit is kept for the end of the new one');
  line.tell({ t: 'agent-start', atMs: 600 }).tell({ t: 'agent-end', atMs: 2000, interrupted: false });
  t.equal(line.trace.at(-1), '2000 commit-digits 1 1');
  t.end();
});

test('silence is told once, counted from the end of our reply; a caller who asked to wait gets longer', (t) => {
  t.strictSame(new Line().reply(0, 1000).until(60000).trace, [
    '8000 because silence',
    '8000 silence 7000',
    '23000 because reply-lost',
    '30000 because silence',
    '30000 silence 7000',
    '45000 because reply-lost',
    '52000 because silence',
    '52000 silence 7000',
  ]);
  t.equal(new Line().reply(0, 1000, { silenceMs: 20000 }).until(21000).trace.at(-1), '21000 silence 20000');
  t.end();
});

test('after the end there is nothing', (t) => {
  const line = new Line().reply(0, 1000).speech(2000, 3000).tell({ t: 'ended', atMs: 3300 });
  t.equal(line.trace.at(-1), '3300 abort-decode 1');
  const [state, effects] = decide(line.state, { t: 'words', atMs: 3400, decode: 1, text: 'hello', confidence: 1 });
  t.equal(state, line.state);
  t.strictSame(effects, []);
  t.end();
});

test('odd events are ignored with a reason: a second start, an end without a start, a key that is none', (t) => {
  const line = new Line().reply(0, 1000).tell({ t: 'speech-end', atMs: 1500, sample: 24000 }).tell({ t: 'dtmf', atMs: 1600, digit: 'x' });
  line.tell({ t: 'speech-start', atMs: 2000, sample: 32000 }).tell({ t: 'speech-start', atMs: 2100, sample: 33600 });
  t.strictSame(line.trace, ['1500 because gate-repeated', '1600 because not-a-key', '2100 because gate-repeated']);
  t.end();
});

// ---- what holds for every order of events ----

/** What must never happen, looked at step by step. */
class Watch {
  #committedSample = -1;
  #turn = 0;
  #stopped = false;
  readonly #answered: string[] = [];

  step({ event, effects, before }: ReturnType<typeof play>[number]): void {
    if (event.t === 'words') this.#answered.push(event.text);
    if (event.t === 'agent-end' || event.t === 'agent-start') this.#stopped = false;
    const nowMs = Math.max(before.nowMs, event.atMs);
    effects.forEach((effect, i) => {
      if (effect.t === 'wake' && effect.atMs <= nowMs) throw new Error('a wake in the past');
      if (effect.t === 'decode' && effect.toSample < effect.fromSample) throw new Error('a decode of nothing');
      if (effect.t === 'stop-speaking') this.#stop();
      if (effect.t === 'commit') this.#commit(effect);
      if ('turn' in effect) this.#endTurn(effect.turn, event, before);
      const acts = 'turn' in effect || effect.t === 'silence' || effect.t === 'stop-speaking';
      if (acts && !effects.slice(0, i).some((earlier) => earlier.t === 'reason')) throw new Error(`${effect.t} without a reason`);
    });
  }

  #commit({ fromSample, toSample, text }: Extract<TurnEffect, { t: 'commit' }>): void {
    if (fromSample < this.#committedSample) throw new Error('two commits for one stretch of speech');
    if (toSample < fromSample) throw new Error('an empty commit');
    if (!this.#answered.some((words) => words !== '' && text.includes(words))) throw new Error('a commit before its words');
    this.#committedSample = toSample;
  }

  #endTurn(turn: number, event: TurnEvent, before: TurnState): void {
    this.#turn += 1;
    if (turn !== this.#turn) throw new Error('turns are numbered one by one');
    if (before.agent === 'waiting' && event.t !== 'tick') throw new Error('two turns without a reply between');
  }

  #stop(): void {
    if (this.#stopped) throw new Error('stopped twice');
    this.#stopped = true;
  }
}

test('for every order of events', (t) => {
  fc.assert(
    fc.property(wildCall, (call) => {
      const watch = new Watch();
      for (const step of play(call)) {
        watch.step(step);
        const before = JSON.stringify(step.before);
        const [, again] = decide(step.before, step.event);
        if (JSON.stringify(again) !== JSON.stringify(step.effects)) throw new Error('other effects for the same event');
        if (JSON.stringify(step.before) !== before) throw new Error('the state was changed in place');
      }
    }),
    { numRuns: 1500 },
  );
  t.end();
});

test('nobody waits for ever: while the call is open something is always due', (t) => {
  fc.assert(
    fc.property(wildCall, (call) => {
      const last = play(call).at(-1);
      if (last === undefined) return;
      const [state] = decide(last.before, last.event);
      // An open gate is the one thing that only the caller can end; the cut bounds it too.
      if (state.wakeMs === null) throw new Error(`nothing is due in ${state.agent}`);
    }),
    { numRuns: 500 },
  );
  t.end();
});

test('what is pending stays bounded while a reply plays', (t) => {
  const line = new Line().tell({ t: 'reply', atMs: 0, interruptible: false, expect: null }).tell({ t: 'agent-start', atMs: 0 });
  for (let i = 1; i < 40; i++) line.speech(i * 2000, i * 2000 + 500);
  t.ok(line.state.stretches.length <= 4);
  t.end();
});
