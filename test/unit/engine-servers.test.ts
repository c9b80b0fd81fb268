/** What the engine servers are made of: random numbers, the shared queue, the recogniser that knows the answer, WAV and multipart. */
import fc from 'fast-check';
import { test } from 'tap';
import { Draws, PROFILES, streamSeed } from '../../bench/servers/draws.ts';
import { readMultipart } from '../../bench/servers/multipart.ts';
import { alignment, envelopeOf, hearWords } from '../../bench/servers/oracle.ts';
import { ProcessorSharing } from '../../bench/servers/queue.ts';
import { speak } from '../../bench/servers/voice.ts';
import { readWav, writeWav } from '../../bench/servers/wav.ts';

test('random numbers agree with the published traces', (t) => {
  // "clean", seed 1: 6000 frames, transit 20 + 0.2 |G|; frame 0 leaves at 0.
  const draws = new Draws(1n);
  const transits = Array.from({ length: 6000 }, () => 20 + 0.2 * Math.abs(draws.normal()));
  t.equal(transits[0]!.toFixed(6), '20.194885');
  t.equal((transits.reduce((sum, ms) => sum + ms, 0) / transits.length).toFixed(4), '20.1603');
  t.equal(Math.max(...transits).toFixed(3), '20.875');
  t.equal((20 + new Draws(1n).exponential(8)).toFixed(6), '35.717147', '"wan": transit 20 + E(8)');
  t.end();
});

test('service times have their median and their 95th percentile; a stream belongs to its seed, call and purpose', (t) => {
  const draws = new Draws(streamSeed(7, 'call-1', 'stt'));
  const times = Array.from({ length: 20_000 }, () => draws.serviceMs(PROFILES['A']!.sttTail)).sort((a, b) => a - b);
  t.ok(Math.abs(times[10_000]! - 45) < 1, `median ${times[10_000]!}`);
  t.ok(Math.abs(times[19_000]! - 80) < 2.5, `p95 ${times[19_000]!}`);
  t.equal(new Draws(3n).serviceMs({ p50: 1, p95: 1 }), 1);
  const seeds = [
    streamSeed(7, 'call-1', 'stt'),
    streamSeed(8, 'call-1', 'stt'),
    streamSeed(7, 'call-2', 'stt'),
    streamSeed(7, 'call-1', 'llm'),
  ];
  t.equal(new Set(seeds).size, 4);
  t.equal(streamSeed(7, 'call-1', 'stt'), seeds[0]);
  t.end();
});

test('queue: alone at full speed, together they share', (t) => {
  const alone = new ProcessorSharing(1);
  t.same(alone.add(1, [10, 15], 0), []);
  t.equal(alone.nextMs(), 10);
  t.same(alone.advance(100), [
    { job: 1, index: 0, atMs: 10 },
    { job: 1, index: 1, atMs: 15 },
  ]);

  const two = new ProcessorSharing(1);
  two.add(1, [10], 0);
  two.add(2, [10], 0);
  t.same(
    two.advance(100).map(({ job, atMs }) => [job, atMs]),
    [
      [1, 20],
      [2, 20],
    ],
  );

  const leaving = new ProcessorSharing(1);
  leaving.add(1, [10], 0);
  leaving.add(2, [10], 0);
  leaving.remove(2, 10);
  t.same(leaving.advance(100), [{ job: 1, index: 0, atMs: 15 }], 'who is given up leaves its share to the others');
  t.end();
});

test('queue: agrees with a simulation in small steps, and does not depend on how often it is asked', (t) => {
  const job = fc.record({ atMs: fc.integer({ min: 0, max: 40 }), needMs: fc.integer({ min: 1, max: 30 }) });
  fc.assert(
    fc.property(
      fc.array(job, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 5 }),
      (jobs, capacity, looks) => {
        const exact = finishTimes(jobs, capacity, []);
        const asked = finishTimes(jobs, capacity, looks);
        const simulated = simulate(jobs, capacity);
        return jobs.every((_, i) => Math.abs(exact[i]! - simulated[i]!) < 0.05 && Math.abs(exact[i]! - asked[i]!) < 1e-6);
      },
    ),
  );
  t.pass();
  t.end();
});

interface Need {
  readonly atMs: number;
  readonly needMs: number;
}
function finishTimes(jobs: readonly Need[], capacity: number, looks: readonly number[]): number[] {
  const queue = new ProcessorSharing(capacity);
  const ends: number[] = [];
  const note = (list: readonly { job: number; atMs: number }[]): void => {
    for (const { job, atMs } of list) ends[job] = atMs;
  };
  const events = [...jobs.map((need, job) => ({ atMs: need.atMs, job })), ...looks.map((atMs) => ({ atMs, job: -1 }))].sort(
    (a, b) => a.atMs - b.atMs || a.job - b.job,
  );
  for (const { atMs, job } of events) note(job < 0 ? queue.advance(atMs) : queue.add(job, [jobs[job]!.needMs], atMs));
  note(queue.advance(1e6));
  return ends;
}
function simulate(jobs: readonly Need[], capacity: number): number[] {
  const step = 0.005;
  const left = jobs.map(({ needMs }) => needMs);
  const ends: number[] = [];
  for (let tick = 0; ends.filter(Number.isFinite).length < jobs.length; tick++) {
    const nowMs = tick * step;
    const active = jobs.flatMap(({ atMs }, i) => (atMs <= nowMs + 1e-9 && left[i]! > 0 ? [i] : []));
    for (const i of active) {
      left[i]! -= step * Math.min(1, capacity / active.length);
      if (left[i]! <= 1e-9) ends[i] = nowMs + step;
    }
  }
  return ends;
}

/** Bursts of noise where the words are. */
function speech(words: readonly { fromMs: number; toMs: number }[], totalMs: number): Int16Array {
  const draws = new Draws(11n);
  const pcm = new Int16Array(totalMs * 16);
  for (const { fromMs, toMs } of words) {
    const loud = 2000 + 6000 * draws.uniform();
    for (let i = fromMs * 16; i < toMs * 16; i++)
      pcm[i] = loud * (draws.uniform() - 0.5) * Math.sin((Math.PI * (i - fromMs * 16)) / ((toMs - fromMs) * 16));
  }
  return pcm;
}
const words = [
  { text: 'four', fromMs: 100, toMs: 380 },
  { text: 'people', fromMs: 450, toMs: 900 },
  { text: 'on', fromMs: 1400, toMs: 1520 },
  { text: 'Friday', fromMs: 1560, toMs: 2100 },
];

test('oracle: hears the words that end inside the audio, wherever it begins', (t) => {
  const pcm = speech(words, 2400);
  const script = envelopeOf({ rateHz: 16000, pcm });
  const hear = (fromMs: number, toMs: number, noise = 0): string => {
    const draws = new Draws(5n);
    const piece = pcm.slice(fromMs * 16, toMs * 16).map((sample) => sample + noise * (draws.uniform() - 0.5));
    // Never the 3 %: they are drawn from the other stream.
    return hearWords({ rateHz: 16000, pcm: piece }, script, words, { uniform: () => 1 })
      .map((word) => word.text)
      .join(' ');
  };
  t.equal(hear(0, 2400), 'four people on Friday');
  t.equal(hear(0, 1000), 'four people');
  t.equal(hear(0, 800), 'four', 'a word that has not ended is not heard');
  t.equal(hear(400, 2400), 'people on Friday');
  t.equal(hear(1300, 2300), 'on Friday');
  t.equal(hear(0, 2400, 300), 'four people on Friday', 'through noise');
  t.equal(hear(920, 1380), '', 'silence');
  t.equal(alignment(envelopeOf({ rateHz: 16000, pcm: new Int16Array(16000) }), script), null);
  const late = hearWords({ rateHz: 16000, pcm: pcm.slice(0, 16000) }, script, words, { uniform: () => 0 });
  t.same(
    late.map((word) => word.text),
    ['four', 'peopl'],
    'the last word of a partial may still change',
  );
  const eightKilohertz = envelopeOf({ rateHz: 8000, pcm: pcm.filter((_, i) => i % 2 === 0) });
  t.equal(alignment(eightKilohertz, script), 0, 'at another rate too');
  t.end();
});

test('WAV and multipart: there and back, and refused when broken', (t) => {
  const pcm = Int16Array.from([0, 1, -1, 32767, -32768]);
  const file = writeWav({ rateHz: 8000, pcm });
  t.same(readWav(file), { rateHz: 8000, pcm });
  t.same([...readWav(file.subarray(0, 50)).pcm], [0, 1, -1], 'cut off');
  for (const broken of [Buffer.alloc(0), Buffer.from('RIFF'), Buffer.from('<html>hello hello</html>'), file.subarray(0, 36)])
    t.throws(() => readWav(broken));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (noise) => {
      try {
        readWav(Buffer.concat([file.subarray(0, 12), Buffer.from(noise)]));
      } catch (error) {
        return error instanceof Error;
      }
      return true;
    }),
  );
  const body = Buffer.concat([
    Buffer.from('--b1\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'),
    file,
    Buffer.from('\r\n--b1\r\ncontent-disposition: form-data; name="language"\r\n\r\nen\r\n--b1--\r\n'),
  ]);
  const fields = readMultipart(body, 'multipart/form-data; boundary=b1');
  t.same(fields.get('file'), file);
  t.equal(fields.get('language')?.toString(), 'en');
  t.equal(readMultipart(body, 'text/plain').size, 0);
  t.equal(readMultipart(body.subarray(0, 60), 'multipart/form-data; boundary=b1').size, 0);
  t.end();
});

test('voice: every word begins where it is said to', async (t) => {
  const { pcm, wordSamples } = await speak('Good day, Zoë!', 'buzz', 'en');
  t.equal(wordSamples.length, 3);
  for (const at of wordSamples) {
    t.equal(Math.max(...pcm.subarray(Math.max(0, at - 400), at).map(Math.abs), 0), 0, 'a gap before it');
    t.ok(Math.max(...pcm.subarray(at, at + 400)) > 1000, 'sound from it on');
  }
});
