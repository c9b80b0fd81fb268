/** The keys under `turn`: whose turn it is, what bridges a wait, words of the languages, the slot for an end-of-turn model. */
import { z } from 'zod';

const ms = (min: number, max: number) => {
  const expected = `expected milliseconds, ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
};
const language = z.string().regex(/^[a-z]{2}$/, 'expected a language code of two letters, as in "en"');
const TEXT = 'expected a text of 1 to 200 characters';
const texts = z.array(z.string().trim().min(1, TEXT).max(200, TEXT)).max(20, 'expected at most 20 texts');
const PHRASE = 'expected words in small letters with single spaces and no marks, at most 60 characters';
const phrases = z
  .array(
    z
      .string()
      .regex(/^[\p{Ll}\p{Lo}\p{N}]+( [\p{Ll}\p{Lo}\p{N}]+)*$/u, PHRASE)
      .max(60, PHRASE),
  )
  .max(500, 'expected at most 500 phrases');

const fillers = z.strictObject({
  opener: texts.optional().describe('Said when a reply is late, one after the other; none: [].'),
  wait: texts.optional().describe('Said while a tool runs, one after the other; none: [].'),
});

/** Named as in the turn engine's TurnWords. */
const words = z.strictObject({
  answers: phrases.optional().describe('One of these alone answers a yes/no question.'),
  digits: phrases.optional().describe('Words for one digit.'),
  doubles: phrases.optional().describe('Words that multiply the digit behind them.'),
  values: phrases.optional().describe('Words that complete a number, a day or a time that was asked for.'),
  openers: phrases.optional().describe('Nobody ends with these: "and", "with", "the".'),
  openPhrases: phrases.optional().describe('The thing itself must come after these: "my number is".'),
  fillers: phrases.optional().describe('Sounds of thinking.'),
  holds: phrases.optional().describe('The caller asks us to wait.'),
  closers: phrases.optional().describe('Phrases that end a turn: thanks, question tags.'),
  names: phrases.optional().describe('A name comes after these.'),
  announcements: phrases.optional().describe('What it is about, before the thing itself: "i have a question about".'),
  questions: phrases.optional().describe('How questions and requests begin.'),
  backchannels: phrases.optional().describe('What a listener says without wanting the floor.'),
  stops: phrases.optional().describe('These take the floor even alone.'),
});

const detector = z.strictObject({
  model: z.string().trim().min(1, 'expected a path').describe('An ONNX file: [1, samples] or [1, 80, frames] in, one probability out.'),
  windowMs: ms(500, 30_000).default(8000).describe('Audio that it is given, where the file leaves that open.'),
});

export const turnSchema = z.strictObject({
  waitMs: ms(100, 5000)
    .default(380)
    .describe("Silence after the caller's last voiced sample that ends a turn when nothing speaks for or against its end."),
  quickWaitMs: ms(0, 5000).default(120).describe('The same after a complete answer: yes, no, the last digit.'),
  minWaitMs: ms(60, 2000).default(160).describe('Shortest wait otherwise.'),
  maxWaitMs: ms(500, 10_000).default(2500).describe('Longest wait: after "and", "um", with digits missing.'),
  retractMs: ms(0, 2000)
    .default(700)
    .describe('A caller who goes on within this time of our start was not done: the turn is taken back. 0: never.'),
  bargeInMs: ms(60, 3000).default(210).describe('Voice over our speech that halts it.'),
  tailMs: ms(0, 5000).default(700).describe('A shorter sound counts as an answer when it ends within this time before our end.'),
  openerMs: ms(0, 5000)
    .default(400)
    .describe('A reply that has not begun so long after the commit gets an opener, in no two turns in a row.'),
  waitPhraseMs: ms(500, 20_000).default(2500).describe('While a tool runs, a wait phrase after so long without a word.'),
  silenceMs: ms(1000, 120_000).default(7000).describe('Silence after which the caller is asked whether he is still there.'),
  maxUtteranceMs: ms(2000, 120_000).default(20_000).describe('Longer utterances are cut at a pause. The built-in test model hears 6 s.'),
  interDigitMs: ms(500, 20_000).default(2500).describe('Pause after a key that ends a number.'),
  padMs: ms(0, 200).default(150).describe('Audio given to the recogniser before and after the voice.'),
  fillers: z.record(language, fillers).default({}).describe('Texts that bridge a wait, by language, in place of the built-in ones.'),
  words: z.record(language, words).default({}).describe('Words by language, beside the built-in ones (en, de, fr, es).'),
  detector: detector.optional().describe('An end-of-turn model; its answers count as evidence. None when left out.'),
});
