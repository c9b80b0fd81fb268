/** The turn engine, rule by rule in reading order, then what holds for every order of events. */
import fc from 'fast-check';
import { test } from 'tap';
import type { Expectation, TurnEffect, TurnEvent } from '../../src/contracts/index.ts';
import { decide, moreWords, phaseOf, TURN_WORDS, waitOf } from '../../src/turn/index.ts';
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

const speaking = (line: Line, more: { interruptible?: boolean; expect?: Expectation } = {}): Line =>
  line
    .tell({ t: 'reply', atMs: 0, interruptible: more.interruptible ?? true, expect: more.expect ?? null })
    .tell({ t: 'agent-start', atMs: 100 });

test('barge-in: voice into a reply makes it soft at once, then halts it, then takes the floor', (t) => {
  const line = speaking(new Line())
    .tell({ t: 'speech-start', atMs: 1060, sample: 1000 * 16 })
    .until(1500);
  line.tell({ t: 'agent-end', atMs: 1520, interrupted: true }).tell({ t: 'speech-end', atMs: 2200, sample: 2000 * 16 });
  line.words(2300, 'stop that').until(3000);
  t.strictSame(line.trace, [
    '1060 because duck',
    '1060 duck',
    '1210 because halt',
    '1210 pause',
    '1500 because barge-in',
    '1500 stop-speaking',
    '2200 decode 1 [850, 2150)',
    '2600 because committed',
    '2600 commit 1 "stop that" wait 600',
  ]);
  t.end();
});

test('a hint of a voice makes us softer at once; when it was none, as loud again', (t) => {
  const line = speaking(new Line()).tell({ t: 'speech-hint', atMs: 1040, sample: 1000 * 16 });
  const voice = line.state;
  t.strictSame(line.trace, ['1040 because hint', '1040 duck']);
  t.strictSame(line.until(3000).trace.slice(2), ['1200 because unduck', '1200 unduck']);
  const [after, effects] = decide(voice, { t: 'speech-start', atMs: 1060, sample: 1000 * 16 });
  t.strictSame([after.agent, effects.filter(({ t: name }) => name === 'duck').length], ['ducked', 0], 'softer once');
  t.end();
});

test('right after our start a hint silences us: the caller may be going on; in place when it was none', (t) => {
  const begun = (): Line => {
    const line = new Line({ retractMs: 700 }).reply(0, 1000).talk(2000, 3000).words(3150, 'for four people').until(3600);
    line.tell({ t: 'reply', atMs: 3610, interruptible: true, expect: null }).tell({ t: 'agent-start', atMs: 3640 });
    return line.tell({ t: 'speech-hint', atMs: 3900, sample: 3860 * 16 });
  };
  t.strictSame(
    begun()
      .tell({ t: 'speech-start', atMs: 3920, sample: 3860 * 16 })
      .trace.slice(-4),
    ['3900 because hint', '3900 pause', '3920 because retract', '3920 retract 1 heard 280'],
  );
  t.strictSame(begun().until(5000).trace.slice(-2), ['4060 because go-on', '4060 resume in place']);
  t.end();
});

test('one real word halts a reply, two take the floor, a stop-word alone does', (t) => {
  const trace = (text: string): string[] => {
    const line = speaking(new Line({ partialMs: 250, bargeInMs: 400, takeFloorMs: 900 }));
    line.tell({ t: 'speech-start', atMs: 1060, sample: 1000 * 16 }).until(1210);
    return line.words(1260, text).until(1300).trace.slice(3);
  };
  t.strictSame(trace('friday'), ['1260 because halt', '1260 pause', '1260 partial 2 [850, 1240)']);
  t.strictSame(trace('on friday'), ['1260 because barge-in', '1260 stop-speaking']);
  t.strictSame(trace('stop'), ['1260 because barge-in', '1260 stop-speaking']);
  t.strictSame(trace('uh huh'), []);
  t.end();
});

test('words that are on their way decide about the floor, up to 800 ms of voice; without them 500 ms do', (t) => {
  const taken = (answeredMs: number | null, text = ''): string | undefined => {
    const line = speaking(new Line({ partialMs: 250 }));
    line.tell({ t: 'speech-start', atMs: 1060, sample: 1000 * 16 }).until(1300);
    if (answeredMs !== null) line.until(answeredMs).words(answeredMs, text);
    return line.until(4000).trace.find((entry) => entry.includes('barge-in'));
  };
  t.equal(taken(null), '1800 because barge-in');
  t.equal(taken(1600, 'on friday'), '1600 because barge-in');
  t.equal(taken(1600, 'uh huh'), '2500 because barge-in', 'a listener who goes on and on');
  const alone = speaking(new Line({ partialMs: 0 }));
  alone.tell({ t: 'speech-start', atMs: 1060, sample: 1000 * 16 }).until(4000);
  t.ok(alone.trace.includes('1500 because barge-in'), 'no words are on their way');
  const late = speaking(new Line({ partialMs: 250 })).tell({ t: 'speech-start', atMs: 1600, sample: 1000 * 16 });
  t.strictSame(
    late.trace,
    ['1600 because duck', '1600 duck', '1600 because halt', '1600 pause', '1600 partial 1 [850, 1580)'],
    'a voice that we are told of late is asked for first',
  );
  t.end();
});

test('a listener’s "uh huh" does not take the floor: the reply goes on, from its last word when it was halted', (t) => {
  const short = speaking(new Line()).talk(1000, 1110).words(1300, 'uh huh').until(2000);
  t.strictSame(short.trace, [
    '1060 because duck',
    '1060 duck',
    '1190 decode 1 [850, 1170)',
    '1360 because unduck',
    '1360 unduck',
    '1360 because backchannel',
  ]);
  const long = speaking(new Line()).talk(1000, 1400).words(1550, 'yeah okay').until(3000);
  t.strictSame(long.trace.slice(2), [
    '1210 because halt',
    '1210 pause',
    '1480 decode 1 [850, 1460)',
    '1560 because go-on',
    '1560 resume',
    '1560 because backchannel',
  ]);
  t.end();
});

test('a noise without words halts a reply and gives it back, after the usual pause while its words are not known', (t) => {
  const line = speaking(new Line()).talk(1000, 1400).until(2100).words(2150, '').until(3000);
  t.strictSame(line.trace.slice(2), [
    '1210 because halt',
    '1210 pause',
    '1480 decode 1 [850, 1460)',
    '2100 because go-on',
    '2100 resume',
    '2150 because backchannel',
  ]);
  t.end();
});

test('a reply stopped for long noise is answered at once, so that nobody waits in silence', (t) => {
  const line = speaking(new Line()).tell({ t: 'speech-start', atMs: 1060, sample: 1000 * 16 });
  line
    .until(1500)
    .tell({ t: 'agent-end', atMs: 1520, interrupted: true })
    .tell({ t: 'speech-end', atMs: 2000, sample: 1800 * 16 });
  line.words(2100, '').until(3000);
  t.strictSame(line.trace.slice(-2), ['2400 because stopped-for-noise', '2400 not-understood 1']);
  t.end();
});

test('"yes" is a listener’s word before the question sounds and an answer from then on', (t) => {
  const said = (asking: boolean): string | undefined => {
    const line = speaking(new Line(), { expect: { kind: 'yes-no' } });
    if (asking) line.tell({ t: 'asking', atMs: 900 });
    return line
      .talk(1000, 1300)
      .words(1510, 'yes')
      .until(3000)
      .trace.find((entry) => /barge-in|resume/.test(entry));
  };
  t.equal(said(false), '1510 resume');
  t.equal(said(true), '1510 because barge-in');
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

test('an answer that comes right before the end of our reply counts, one in the middle does not', (t) => {
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

test('a caller who goes on within 700 ms of our start was not done: silence, and one turn with all its words', (t) => {
  const line = new Line({ retractMs: 700 }).reply(0, 1000).talk(2000, 3000).words(3150, 'for four people').until(3700);
  line.tell({ t: 'reply', atMs: 3610, interruptible: true, expect: null }).tell({ t: 'agent-start', atMs: 3640 });
  line.talk(4000, 4800).words(4950, 'for four people on friday').until(6000);
  t.strictSame(line.trace, [
    '3080 decode 1 [1850, 3060)',
    '3600 because committed',
    '3600 commit 1 "for four people" wait 600',
    '4060 because retract',
    '4060 retract 1 heard 420',
    '4880 decode 2 [1850, 4860)',
    '5400 because committed',
    '5400 commit 1 "for four people on friday" wait 600',
  ]);
  t.end();
});

test('a turn is taken back before our first sample too, but not later, not over a notice, not after an effect', (t) => {
  const retracted = (startMs: number | null, onsetMs: number, more: { interruptible?: boolean; final?: boolean } = {}): boolean => {
    const line = new Line({ retractMs: 700 }).reply(0, 1000).talk(2000, 3000).words(3150, 'for four people').until(3600);
    line.tell({ t: 'reply', atMs: 3605, interruptible: true, expect: null, ...more });
    if (startMs !== null) line.tell({ t: 'agent-start', atMs: startMs });
    line.tell({ t: 'speech-start', atMs: onsetMs + 60, sample: onsetMs * 16 });
    return line.effects.some((effect) => effect.t === 'retract');
  };
  t.equal(retracted(null, 3620), true);
  t.equal(retracted(3640, 4300), true);
  t.equal(retracted(3640, 4400), false);
  t.equal(retracted(3640, 3900, { interruptible: false }), false);
  t.equal(retracted(3640, 3900, { final: true }), false);
  t.end();
});

test('a turn taken back for a noise is committed again as soon as its words are known to be the same', (t) => {
  const line = new Line({ retractMs: 700, endpoint: 'dynamic', quickWaitMs: 120 }).reply(0, 1000).talk(2000, 3000);
  line.words(3150, 'we are coming by train').until(3700);
  line.tell({ t: 'reply', atMs: 3710, interruptible: true, expect: null }).tell({ t: 'agent-start', atMs: 3720 });
  line.talk(3800, 3900).words(4030, 'we are coming by train').until(5000);
  t.equal(line.trace.at(-1), '4030 commit 1 "we are coming by train" wait 130');
  t.end();
});

test('so is a turn taken back for a listener’s "uh huh"', (t) => {
  const line = new Line({ retractMs: 700, endpoint: 'dynamic', quickWaitMs: 120 }).reply(0, 1000).talk(2000, 3000);
  line.words(3150, 'we are coming by train').until(3700);
  line.tell({ t: 'reply', atMs: 3710, interruptible: true, expect: null }).tell({ t: 'agent-start', atMs: 3720 });
  line.talk(4000, 4300).words(4430, 'we are coming by train uh huh').until(5000);
  t.equal(line.trace.at(-1), '4430 commit 1 "we are coming by train uh huh" wait 130');
  t.end();
});

test('a question, and both words of a name, end the turn earlier; a first name alone later', (t) => {
  const wait = (text: string): number =>
    waitOf(new Line({ endpoint: 'dynamic' }).reply(0, 1000).talk(2000, 4000).words(4090, text).state) ?? NaN;
  const plain = wait('we are coming by train');
  t.ok(wait('can you check that') < plain, 'a question');
  const told = 'check that you have sent it to my new address in the city';
  t.equal(wait(`can you ${told}`), wait(`please do ${told}`), 'a question long ago');
  t.ok(wait('could you') > 1500, 'a question without its content');
  t.ok(wait('my name is um anna') > plain, 'half a name');
  t.ok(wait('my name is anna miller') < plain, 'a name');
  t.end();
});

test('who breaks in before the question has sounded is not held to its answer', (t) => {
  const wait = (asked: boolean): number => {
    const line = new Line({ endpoint: 'dynamic' }).tell({ t: 'reply', atMs: 0, interruptible: true, expect: { kind: 'day' } });
    line.tell({ t: 'agent-start', atMs: 100 });
    if (asked) line.tell({ t: 'asking', atMs: 500 });
    line.tell({ t: 'speech-start', atMs: 1060, sample: 1000 * 16 }).until(1600);
    line.tell({ t: 'agent-end', atMs: 1620, interrupted: true }).tell({ t: 'speech-end', atMs: 2080, sample: 2000 * 16 });
    return waitOf(line.words(2090, 'that is not what i meant').state) ?? NaN;
  };
  t.ok(wait(false) < wait(true) - 100, 'the day that is missing says nothing yet');
  t.end();
});

test('the reply to what may be all is prepared under the wait, and released by the commit', (t) => {
  const line = new Line({ speculate: true }).reply(0, 1000).talk(2000, 3000).words(3130, 'for four people');
  line.tell({ t: 'prepared', atMs: 3300, attempt: 1, ready: true }).until(4000);
  t.strictSame(line.trace, [
    '3080 decode 1 [1850, 3060)',
    '3130 because speculate',
    '3130 speculate 1 "for four people"',
    '3600 because committed',
    '3600 commit 1 "for four people" wait 600 attempt 1',
  ]);
  t.end();
});

test('a caller who goes on makes it worthless; three tries a turn; none while queues are long', (t) => {
  const line = new Line({ speculate: true }).reply(0, 1000);
  let text = 'a table';
  for (let i = 0; i < 5; i++, text += ' please') line.talk(2000 + i * 500, 2300 + i * 500).words(2400 + i * 500, text);
  line.until(6000);
  t.strictSame(
    line.trace.filter((entry) => /speculate \d|abandon/.test(entry)),
    [
      '2400 speculate 1 "a table"',
      '2560 abandon 1',
      '2900 speculate 2 "a table please"',
      '3060 abandon 2',
      '3400 speculate 3 "a table please please"',
      '3560 abandon 3',
    ],
  );
  const busy = new Line({ speculate: true }).reply(0, 1000).talk(2000, 3000);
  busy.tell({ t: 'words', atMs: 3130, decode: 1, text: 'hello', confidence: 1, queueMs: 150 }).until(4000);
  t.notOk(busy.effects.some((effect) => effect.t === 'speculate'));
  t.end();
});

test('the dynamic wait follows the words, the question, the voice and the caller', (t) => {
  const wait = (text: string, expect: Expectation, more: Partial<Extract<TurnEvent, { t: 'speech-end' }>> = {}): number => {
    const line = new Line({ endpoint: 'dynamic', quickWaitMs: 120 }).reply(0, 1000, { expect });
    line.tell({ t: 'speech-start', atMs: 2060, sample: 32000 }).tell({ t: 'speech-end', atMs: 4080, sample: 64000, ...more });
    line.words(4085, text).until(14_000);
    return Math.round(line.effects.find((effect) => effect.t === 'commit')?.waitMs ?? NaN);
  };
  const free: Expectation = { kind: 'free' };
  t.equal(wait('yes', { kind: 'yes-no' }), 120);
  t.equal(wait('one two three four', { kind: 'digits', min: 4, max: 4 }), 120);
  t.equal(wait('double one two three', { kind: 'digits', min: 4, max: 4 }), 120);
  const plain = wait('we are coming by train', free);
  t.ok(plain > 500 && plain < 900, `nothing speaks for either: ${plain}`);
  t.ok(wait('one two three', { kind: 'digits', min: 4, max: 4 }) > 1500, 'a digit is missing');
  t.ok(wait('on friday', { kind: 'day' }) < 300, 'what was asked for is there');
  t.ok(wait('we are coming by train and', free) > 1800, 'a conjunction');
  t.ok(wait('my number is', free) > 1800, 'the thing itself must come');
  t.ok(wait('we are coming um', free) > 1800, 'thinking');
  t.ok(wait('i have a question about my bill', free) > plain + 150, 'announced, and nothing of it said yet');
  t.ok(wait('i would like to book a table', free) > plain + 150);
  t.ok(wait('i would like to book a table for two', free) < wait('i would like to book a table over there', free), 'with its content');
  t.ok(wait('can i make an appointment', free) < plain, 'asked, not announced');
  t.ok(wait('that is all thank you', free) < 350, 'thanks');
  t.ok(wait('we are coming by train.', free) < plain, 'a full stop');
  const fall = { pitchSlope: -12, levelDropDb: -12 };
  const level = { pitchSlope: 0, levelDropDb: 0 };
  t.ok(wait('we are coming by train', free, { prosody: fall }) < wait('we are coming by train', free, { prosody: level }), 'the voice');
  t.equal(wait('hold on', free), 8000);
  t.end();
});

test('a detector and the caller’s own pauses enter the same score', (t) => {
  const wait = (probability: number | null, pauses: number): number => {
    const line = new Line({ endpoint: 'dynamic' }).reply(0, 1000);
    let atMs = 2000;
    for (let i = 0; i < pauses; i++, atMs += 1000) line.talk(atMs, atMs + 550);
    line.talk(atMs, atMs + 1000);
    if (probability !== null) line.tell({ t: 'detector', atMs: atMs + 1090, probability });
    line.words(atMs + 1100, 'we are coming by train').until(atMs + 9000);
    return line.effects.find((effect) => effect.t === 'commit')?.waitMs ?? NaN;
  };
  t.ok(wait(0.95, 0) < 300);
  t.ok(wait(0.05, 0) > 1500);
  t.ok(wait(null, 4) > wait(null, 0), 'this caller pauses for 450 ms inside turns');
  t.end();
});

test('an opener bridges a late reply, never in two turns in a row; wait phrases bridge a tool', (t) => {
  const line = new Line({ openerMs: 50 }).reply(0, 1000);
  const turn = (atMs: number, working = false): void => {
    line
      .talk(atMs, atMs + 1000)
      .words(atMs + 1150, 'hello')
      .until(atMs + 1600);
    if (working) line.tell({ t: 'working', atMs: atMs + 1620 });
    line.until(atMs + 5000).reply(atMs + 5000, atMs + 6000);
  };
  turn(2000);
  turn(10_000, true);
  turn(20_000);
  turn(30_000);
  t.strictSame(
    line.trace.filter((entry) => entry.includes('filler')),
    ['3650 filler opener', '14120 filler wait', '21650 filler opener'],
  );
  t.end();
});

test('a reply that was ready at the commit needs no opener; one that is not gets it at once', (t) => {
  const fillers = (readyMs: number | null): string[] => {
    const line = new Line({ openerMs: 0, speculate: true }).reply(0, 1000).talk(2000, 3000).words(3130, 'for four people');
    if (readyMs !== null) line.tell({ t: 'prepared', atMs: readyMs, attempt: 1, ready: true });
    return line.until(5000).trace.filter((entry) => /commit|filler/.test(entry));
  };
  const committed = '3600 because committed';
  const commit = '3600 commit 1 "for four people" wait 600 attempt 1';
  t.strictSame(fillers(null), [committed, commit, '3600 filler opener']);
  t.strictSame(fillers(3300), [committed, commit, '3800 filler opener'], 'it has not begun after all');
  t.end();
});

test('a tool that works on after its first wait phrase is bridged again; meanwhile nobody asks whether the caller is there', (t) => {
  const line = new Line().reply(0, 1000).talk(2000, 3000).words(3150, 'hello').until(3650).tell({ t: 'working', atMs: 3660 });
  line.tell({ t: 'reply', atMs: 4260, interruptible: true, expect: null }).tell({ t: 'working', atMs: 4261 });
  line.tell({ t: 'agent-start', atMs: 4280 }).tell({ t: 'agent-end', atMs: 5500, interrupted: false }).until(18_000);
  t.strictSame(
    line.trace.filter((entry) => /filler|silence \d/.test(entry)),
    ['8000 filler wait', '10500 filler wait', '13000 filler wait'],
  );
  t.equal(line.until(19_300).trace.at(-1), '19261 silence 13761', 'but not for ever');
  t.end();
});

test('after a plain end a voice more than 300 ms into our reply is no rest of the turn', (t) => {
  const retracted = (text: string, onsetMs: number): boolean => {
    const line = new Line({ retractMs: 700, endpoint: 'dynamic' }).reply(0, 1000, { expect: { kind: 'digits', min: 3, max: 3 } });
    line.talk(2000, 3000).words(3090, text).until(6000);
    const atMs = line.state.nowMs;
    line.tell({ t: 'reply', atMs, interruptible: true, expect: null }).tell({ t: 'agent-start', atMs });
    line.tell({ t: 'speech-start', atMs: atMs + onsetMs + 60, sample: (atMs + onsetMs) * 16 });
    return line.effects.some((effect) => effect.t === 'retract');
  };
  t.same([retracted('one two three', 200), retracted('one two three', 500)], [true, false]);
  t.same([retracted('one two', 500), retracted('one two', 800)], [true, false], 'a digit was missing');
  t.end();
});

test('words of an operator stand beside the built-in ones; a language of his own has those alone', (t) => {
  t.ok(moreWords('en-GB', { holds: ['half a mo'] }).holds.includes('half a mo'));
  t.ok(moreWords('en', { holds: ['half a mo'] }).holds.includes('hold on'));
  t.same(moreWords('it', { answers: ['si'] }).openers, []);
  t.equal(moreWords('it', {}).openers.length, TURN_WORDS.en.openers.length, 'without any, those of English');
  const line = new Line({ endpoint: 'dynamic', ownWords: { de: moreWords('de', { holds: ['wart mal kurz'] }) } });
  line.reply(0, 1000).tell({ t: 'language', atMs: 1100, language: 'de-AT' });
  t.equal(waitOf(line.talk(2000, 3000).words(3090, 'wart mal kurz').state), 8000, 'also after a change of language');
  t.end();
});

test('while a secret is typed nothing that is said is decoded', (t) => {
  const line = new Line().reply(0, 1000).tell({ t: 'secure', atMs: 1100, on: true }).talk(2000, 3000);
  t.equal(phaseOf(line.state), 'digits');
  t.notOk(line.effects.some((effect) => effect.t === 'decode'));
  t.end();
});

test('where the call is, in one word', (t) => {
  const line = new Line({ speculate: true, retractMs: 700 });
  const seen: string[] = [];
  const look = (): void => void seen.push(phaseOf(line.state));
  look();
  line.reply(0, 1000);
  look();
  line.talk(2000, 3000).words(3130, 'for four');
  look();
  line.tell({ t: 'prepared', atMs: 3200, attempt: 1, ready: true });
  look();
  line.until(3600).tell({ t: 'reply', atMs: 3601, interruptible: true, expect: null }).tell({ t: 'agent-start', atMs: 3620 });
  look();
  line.tell({ t: 'speech-start', atMs: 3900, sample: 3850 * 16 });
  look();
  line.tell({ t: 'speech-end', atMs: 4300, sample: 4200 * 16 }).words(4400, 'hold on');
  t.strictSame(seen, ['answering', 'listening', 'speculating', 'armed', 'speaking', 'retracting']);
  line.until(5000).tell({ t: 'ended', atMs: 6000 });
  t.equal(phaseOf(line.state), 'ended');
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
  t.equal(line.until(1500).trace.at(-1), '1500 stop-speaking');
  line.tell({ t: 'agent-start', atMs: 1510 }).until(3000);
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
  #sampleBefore = -1;
  #turn = 0;
  #owed = false;
  #stopped = false;
  #halted = false;
  #soft = false;
  readonly #open = new Set<number>();
  readonly #answered: string[] = [];

  step({ event, effects, before }: ReturnType<typeof play>[number]): void {
    if (event.t === 'words') this.#answered.push(event.text);
    if (event.t === 'agent-end' || event.t === 'agent-start' || event.t === 'reply') this.#stopped = false;
    if (event.t === 'agent-end') this.#halted = false;
    if (event.t === 'reply') this.#owed = false;
    const nowMs = Math.max(before.nowMs, event.atMs);
    effects.forEach((effect, i) => {
      if (effect.t === 'wake' && effect.atMs <= nowMs) throw new Error('a wake in the past');
      if (effect.t === 'decode' && effect.toSample < effect.fromSample) throw new Error('a decode of nothing');
      if (effect.t === 'reason' && effect.rule === 'reply-lost') this.#owed = false;
      this.#floor(effect);
      this.#speculation(effect);
      if (effect.t === 'commit') this.#commit(effect);
      if (effect.t === 'retract') this.#retract(effect.turn);
      else if ('turn' in effect) this.#endTurn(effect.turn);
      const acts = 'turn' in effect || effect.t === 'silence' || effect.t === 'stop-speaking' || effect.t === 'speculate';
      if (acts && !effects.slice(0, i).some((earlier) => earlier.t === 'reason')) throw new Error(`${effect.t} without a reason`);
    });
  }

  /** Never speaks over a caller after a barge-in; nothing is halted or softened for ever. */
  #floor(effect: TurnEffect): void {
    if (effect.t === 'stop-speaking') {
      if (this.#stopped) throw new Error('stopped twice');
      this.#stopped = true;
      [this.#halted, this.#soft] = [false, false];
    }
    if (effect.t === 'retract') [this.#halted, this.#soft] = [false, false];
    if (effect.t === 'resume') {
      if (this.#stopped) throw new Error('speaks on after the caller took the floor');
      if (!this.#halted) throw new Error('resumed what was not halted');
      [this.#halted, this.#soft] = [false, false];
    }
    if (effect.t === 'pause') this.#halted = true;
    if (effect.t === 'duck') this.#soft = true;
    if (effect.t === 'unduck') {
      if (!this.#soft) throw new Error('loud again without having been soft');
      this.#soft = false;
    }
  }

  /** Every speculation ends exactly once: thrown away, or released by a commit; one at a time. */
  #speculation(effect: TurnEffect): void {
    if (effect.t === 'speculate') {
      this.#open.add(effect.attempt);
      if (this.#open.size > 1) throw new Error('two speculations at once');
    }
    const over = effect.t === 'abandon' ? effect.attempt : effect.t === 'commit' ? effect.attempt : null;
    if (over !== null && !this.#open.delete(over)) throw new Error('a speculation that was over');
    if (effect.t === 'commit' && this.#open.size > 0) throw new Error('a speculation left open by a commit');
  }

  /** A speculation that came to nothing is over without an effect. */
  failed(attempt: number): void {
    this.#open.delete(attempt);
  }

  #commit({ fromSample, toSample, text }: Extract<TurnEffect, { t: 'commit' }>): void {
    if (fromSample < this.#committedSample) throw new Error('two commits for one stretch of speech');
    if (toSample < fromSample) throw new Error('an empty commit');
    if (!this.#answered.some((words) => words !== '' && text.includes(words))) throw new Error('a commit before its words');
    this.#sampleBefore = this.#committedSample;
    this.#committedSample = toSample;
  }

  #retract(turn: number): void {
    if (turn !== this.#turn) throw new Error('only the last turn can be taken back');
    this.#turn -= 1;
    this.#committedSample = this.#sampleBefore;
    this.#owed = false;
  }

  #endTurn(turn: number): void {
    this.#turn += 1;
    if (turn !== this.#turn) throw new Error('turns are numbered one by one');
    if (this.#owed) throw new Error('two replies for one turn');
    this.#owed = true;
  }
}

test('for every order of events', (t) => {
  fc.assert(
    fc.property(wildCall, (call) => {
      const watch = new Watch();
      for (const step of play(call)) {
        if (step.event.t === 'prepared' && !step.event.ready) watch.failed(step.event.attempt);
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
