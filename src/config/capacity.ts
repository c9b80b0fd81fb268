/** How many calls a site takes, and what is saved on when callers begin to wait: the keys of the capacity governor. */
import { z } from 'zod';

const ms = (min: number, max: number) => {
  const expected = `expected milliseconds, ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
};
const count = (min: number, max: number) => {
  const expected = `expected a whole number, ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
};
const wait = (degradeMs: number, peopleMs: number, what: string) =>
  z
    .strictObject({
      degradeMs: ms(1, 60_000).default(degradeMs).describe(`p95 of ${what} from which calls are served more cheaply.`),
      peopleMs: ms(1, 60_000).default(peopleMs).describe(`p95 of ${what} from which new calls go to people.`),
    })
    .refine(({ degradeMs: degrade, peopleMs: people }) => people >= degrade, 'has a peopleMs below its degradeMs')
    .prefault({});

export const capacitySchema = z.strictObject({
  govern: z.boolean('expected true or false').default(true).describe('Watch what callers wait for and act on it.'),
  degradeCalls: count(1, 10_000)
    .optional()
    .describe('Open calls from which calls are served more cheaply; 80 % of media.maxCalls when left out.'),
  peopleCalls: count(1, 10_000).optional().describe('Open calls from which new ones go to people; media.maxCalls when left out.'),
  sttQueue: wait(150, 600, 'the wait for the recogniser').describe('Wait for the recogniser.'),
  llmFirstToken: wait(600, 2000, "the language model's first token").describe("The language model's first token."),
  ttsFirstAudio: wait(250, 1000, "the synthesiser's first audio").describe("The synthesiser's first audio."),
  loopLag: wait(60, 250, 'lag of the event loop').describe('Lag of the event loop.'),
  windowSeconds: count(2, 600).default(15).describe('Older waits do not count.'),
  holdSeconds: count(0, 3600)
    .default(20)
    .describe('Better takes effect when every wait was well under its limit for so long; worse at once.'),
  shortReplyTokens: count(8, 1000).default(48).describe('Longest answer of a language model while replies are kept short.'),
});
