/** What callers say for numbers, dates, times, names and codes, in every language: at least 97 of 100 must be understood. */
import { test } from 'tap';
import { PHRASE_LANGUAGES, phrasesOf, understand } from '../support/phrases.ts';

/** Known not to be understood, because they mean two things; they count as failures. */
const KNOWN: readonly string[] = ['oh seven seven double oh nine hundred one two three'];

for (const language of PHRASE_LANGUAGES) {
  test(`phrases: ${language}`, (t) => {
    const phrases = phrasesOf(language);
    const said = understand(language);
    const failed = phrases.filter((phrase) => said(phrase) !== phrase.value);
    t.ok(phrases.length >= 300, `${phrases.length} phrases`);
    t.ok(failed.length <= phrases.length * 0.03, `${phrases.length - failed.length} of ${phrases.length}`);
    t.strictSame(
      failed
        .map((phrase) => `${phrase.said}: ${String(said(phrase))}, not ${phrase.value}`)
        .filter((line) => !KNOWN.some((known) => line.startsWith(known))),
      [],
    );
    t.end();
  });
}
