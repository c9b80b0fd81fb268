/** The experimental in-band mark of synthetic speech: how often it is found after a telephone line, and how often where there is none. */
import { resample } from '../src/cli/caller/resample.ts';
import { silentLogger } from '../src/observability/index.ts';
import { createEspeak } from '../src/tts/index.ts';
import { type BenchResult, type BenchRow, benchResult } from './support/result.ts';
import { MARK_DB, MARK_RATE_HZ, marked, markScore } from './support/speech-mark.ts';
import { decode, encode } from './turns/g711.ts';

const SENTENCES = [
  'Welcome to the harbour restaurant. You are speaking with an automated assistant. How can I help you today?',
  'A table for four people on friday at seven in the evening. Is that right, or should I change something?',
  'I am sorry, we only take bookings for the next three months. Which other day would suit you and your guests?',
  'Our kitchen is open from five to ten in the evening, and on sundays we also serve lunch from noon to three.',
  'Thank you for calling. Your table is booked, and you will get a message with all the details in a minute.',
  'One moment please, I am looking that up for you. There is a free table at half past eight by the window.',
];
/** Five standard deviations: one alignment in three million by chance, 8192 of them in each test. */
const THRESHOLD = 5.2;
const LOSS = 0.03;
const FRAME = 160;

export async function run(): Promise<BenchResult> {
  const tts = createEspeak({ logger: silentLogger, voices: { en: 'en-us' }, rateWpm: 160 });
  await tts.start();
  const voices = await Promise.all(
    SENTENCES.map(async (text) => {
      const { pcm, rateHz } = await tts.synthesise(text, { language: 'en' });
      return Int16Array.from(resample(pcm, rateHz, MARK_RATE_HZ), (sample) => Math.round(Math.max(-32_768, Math.min(32_767, sample))));
    }),
  );
  await tts.stop();
  let draw = 12345;
  const random = (): number => (draw = (draw * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  const line = (pcm: Int16Array): Int16Array => onTheLine(pcm, random);
  const share = (hits: number, of: number): number => Math.round((hits / of) * 1000) / 10;
  const rows: BenchRow[] = [];
  let found = 0;
  let tried = 0;
  for (const voice of voices) {
    for (let seed = 1; seed <= 5; seed++, tried++) if (markScore(line(marked(voice, seed)), seed) > THRESHOLD) found++;
  }
  const rate = share(found, tried);
  rows.push({
    metric: `found, ${MARK_DB} dB, mu-law, 3 % loss, any cut, of ${tried}`,
    value: rate,
    unit: '%',
    goal: '>= 95 %',
    met: rate >= 95,
  });
  let alarms = 0;
  let silent = 0;
  for (const voice of voices) {
    for (let seed = 100; seed < 150; seed++, silent++) if (markScore(line(voice), seed) > THRESHOLD) alarms++;
  }
  const wrong = share(alarms, silent);
  rows.push({ metric: `found where there is none, of ${silent}`, value: wrong, unit: '%', goal: '<= 0.1 %', met: wrong <= 0.1 });
  return benchResult('mark', rows);
}

/** Begins anywhere in its first second, goes through mu-law, loses frames. */
function onTheLine(pcm: Int16Array, random: () => number): Int16Array {
  const cut = pcm.subarray(Math.floor(random() * MARK_RATE_HZ));
  const out = decode(Uint8Array.from(cut, (sample) => encode(sample)));
  for (let from = 0; from + FRAME <= out.length; from += FRAME) if (random() < LOSS) out.fill(0, from, from + FRAME);
  return out;
}
