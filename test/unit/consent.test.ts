/** What must not be kept: numbers, addresses, secrets; what must be said and asked before anything is kept. */
import fc from 'fast-check';
import { test } from 'tap';
import { findSecrets, maskText } from '../../src/audit/index.ts';
import { seeded } from '../support/seeded.ts';
import { cardNumber, germanIban, LANGUAGES_SPOKEN, readOut, writtenOut } from '../support/spoken-numbers.ts';

// ---- masking ----

test('1. cards, accounts, IBANs and addresses are found, written and spoken', (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['my card is 4111 1111 1111 1111 thanks', 'my card is [card] thanks'],
    ['4111-1111-1111-1111', '[card]'],
    ['four one one one, one one one one one one one one one one one one', '[card]'],
    ['four one one one, are you writing, 1111 1111 1111', '[card]'],
    ['double four seven one two three oh', '[number]'],
    ['vier eins eins eins eins eins bitte', '[number] bitte'],
    ['quatre-vingt-dix-sept douze trente-quatre', '[number]'],
    ['cuarenta y uno veintidós treinta y tres', '[number]'],
    ['einundzwanzig zweiundvierzig dreiundfünfzig', '[number]'],
    ['DE89 3704 0044 0532 0130 00 bitte', '[iban] bitte'],
    ['d e 89 370400440532013000', '[number]'],
    ['GB82 WEST 1234 5698 7654 32', '[iban]'],
    ['write to anna.miller@example.com please', 'write to [email] please'],
    ['anna dot miller at example dot com', '[email]'],
    ['a n n a at g m x punkt de', '[email]'],
    ['anna punto garcia arroba ejemplo punto es', '[email]'],
    ['call 555-123-4567', 'call [number]'],
  ];
  for (const [said, kept] of cases) t.equal(maskText(said), kept);
  t.end();
});

test('2. dates, times, amounts, quantities and short numbers stay', (t) => {
  for (const said of [
    'a table for two at seven thirty on the 27.11.2026',
    '2026-11-27 19:30',
    '27 11 2026',
    '1,250,000 euros',
    '1 250 000 euros',
    'it costs 1234.56',
    'einhundertzwanzig tausend euro',
    'one hundred and twenty three thousand four hundred fifty six',
    'room 12 and 13 for 2 people',
    'meet me at seven, that is at the point',
    'twenty twenty six',
    'the first of may nineteen eighty four',
    'from one to two, for three',
    '',
  ])
    t.equal(maskText(said), said);
  t.end();
});

test('3. no text is broken by masking: spans lie in it, in order; what is masked has nothing left to mask', (t) => {
  const word = fc.oneof(
    fc.constantFrom('four', 'vier', 'quatre', 'double', 'thousand', 'at', 'dot', 'und', '-', '@', '.', 'DE', 'twenty', 'a'),
    fc.stringMatching(/^\d{1,9}$/),
    fc.string({ maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40 }), (words) => {
      const text = words.join(' ');
      const spans = findSecrets(text);
      let last = 0;
      for (const { from, to } of spans) {
        if (from < last || to <= from || to > text.length) return false;
        last = to;
      }
      return findSecrets(maskText(text)).length === 0 || spans.length > 0;
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), fc.constantFrom(...LANGUAGES_SPOKEN), (seed, language) => {
      const random = seeded(seed);
      const card = cardNumber(random);
      return (
        !maskText(`so ${writtenOut(card, random)} ok`).includes(card.slice(0, 6)) && findSecrets(readOut(card, language, random)).length > 0
      );
    }),
    { numRuns: 300 },
  );
  t.end();
});

/** What is left of a spoken or written number after masking: digits and number words in a row would show. */
test('4. recall and precision on a generated table: 2,000 numbers read out, 800 harmless sentences', (t) => {
  const random = seeded(42);
  let missed = 0;
  const first: string[] = [];
  for (let i = 0; i < 2000; i++) {
    const language = LANGUAGES_SPOKEN[i % 4] ?? 'en';
    const value = random.pick([cardNumber(random), random.digits(8), random.digits(10), germanIban(random)]);
    const digits = value.replace('DE', '');
    const said = random.chance(0.5) ? readOut(digits, language, random) : writtenOut(value, random);
    const spans = findSecrets(said);
    const covered = spans.reduce((sum, { from, to }) => sum + to - from, 0);
    if (covered < said.length) {
      missed++;
      if (first.length < 5) first.push(`${said} -> ${maskText(said)}`);
    }
  }
  let wrong = 0;
  for (let i = 0; i < 800; i++) {
    const said = harmless(random.pick(LANGUAGES_SPOKEN), random);
    if (maskText(said) === said) continue;
    wrong++;
    if (first.length < 10) first.push(`${said} -> ${maskText(said)}`);
  }
  t.comment(`recall ${((2000 - missed) / 20).toFixed(2)} %, harmless sentences touched ${((wrong / 800) * 100).toFixed(2)} %`);
  t.ok(missed <= 20, `missed ${missed} of 2000: ${first.join(' | ')}`);
  t.ok(wrong <= 8, `touched ${wrong} of 800: ${first.join(' | ')}`);
  t.end();
});

function harmless(language: string, random: ReturnType<typeof seeded>): string {
  const day = 1 + Math.floor(random.next() * 28);
  const hour = 10 + Math.floor(random.next() * 12);
  const two = readOut(String(1 + Math.floor(random.next() * 9)), language, random);
  const texts: Readonly<Record<string, readonly string[]>> = {
    en: [
      `a table for ${two} at ${hour}:30`,
      `on the ${day}.12.2026 please`,
      `that was ${day}00 euros`,
      `${two} adults and ${two} children at ${hour}`,
    ],
    de: [
      `einen Tisch für ${two} um ${hour} Uhr 30`,
      `am ${day}.12.2026 bitte`,
      `das waren 1.${100 + day},50 Euro`,
      `${two} Erwachsene und ${two} Kinder`,
    ],
    fr: [`une table pour ${two} à ${hour} heures 30`, `le ${day}/12/2026`, `cela coûte ${day} euros`, `${two} adultes et ${two} enfants`],
    es: [`una mesa para ${two} a las ${hour} y media`, `el ${day}/12/2026`, `son ${day} euros`, `${two} adultos y ${two} niños`],
  };
  return random.pick(texts[language] ?? []);
}
