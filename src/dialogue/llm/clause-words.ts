/** What the clause splitter knows about a language. Lists are data: a configuration may bring its own. */
export interface ClauseWords {
  /** Before these the first chunk may end, once it has words enough. */
  readonly conjunctions: ReadonlySet<string>;
  /** Without their last dot, lower case. */
  readonly abbreviations: ReadonlySet<string>;
  /** After these a conjunction belongs to a number: "two hundred and five", "treinta y dos". */
  readonly numberWords: ReadonlySet<string>;
  /** "3." may be an ordinal: "am 3. Mai". */
  readonly ordinalDot: boolean;
}

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '));

// "No. 5", "Art. 5", "Tel. 0171" need no entry: a short word with a dot before a number is never an end. Words that end sentences as
// often as they are abbreviations (no, so, sun) must not have one.
const everywhere = 'dr prof st etc vs mr mrs ms jr sr inc ltd co';

export const CLAUSE_WORDS: Readonly<Record<string, ClauseWords>> = {
  en: {
    conjunctions: set('and but or so because if when while although unless since then which where'),
    abbreviations: set(
      `${everywhere} dept approx ext est e.g i.e a.m p.m u.s u.k ave blvd rd apt dec nov oct sept sep aug jan feb mar apr jun jul mon tue tues wed thu thur thurs fri`,
    ),
    numberWords: set('hundred thousand million one two three four five six seven eight nine ten'),
    ordinalDot: false,
  },
  de: {
    conjunctions: set('und aber oder denn sondern weil wenn dass damit obwohl während sobald falls dann'),
    abbreviations: set(
      `${everywhere} bzw ca d.h z.b u.a o.ä usw str hr hrn fr evtl ggf inkl exkl zzgl mwst vgl geb gest bspw sog std uhr.z jan feb apr aug sept okt nov dez i.d.r z.t`,
    ),
    numberWords: set('hundert tausend eins zwei drei vier fünf sechs sieben acht neun zehn'),
    ordinalDot: true,
  },
  fr: {
    conjunctions: set('et mais ou donc car parce puisque quand lorsque si que alors'),
    abbreviations: set(`${everywhere} m mm mme mmes mlle pr ste av bd boul p.ex c.-à-d env tél janv févr avr juil sept oct nov déc`),
    numberWords: set('vingt trente quarante cinquante soixante cent mille un deux trois quatre cinq six sept huit neuf dix'),
    ordinalDot: false,
  },
  es: {
    conjunctions: set('y e pero o u porque pues aunque cuando si que entonces mientras'),
    abbreviations: set(
      `${everywhere} sra srta sres d dña dra ud uds vd av avda c p.ej aprox tel tfno pza ene feb mar abr jun jul ago sept oct nov dic`,
    ),
    numberWords: set(
      'treinta cuarenta cincuenta sesenta setenta ochenta noventa cien ciento mil uno dos tres cuatro cinco seis siete ocho nueve diez',
    ),
    ordinalDot: false,
  },
};

/** `en-GB` finds `en`; an unknown language gets English rules, which only cost a little delay. */
export function clauseWordsFor(language: string): ClauseWords {
  const known = CLAUSE_WORDS[language.toLowerCase().split(/[-_]/)[0] ?? ''] ?? CLAUSE_WORDS['en'];
  if (known === undefined) throw new Error('no English clause words');
  return known;
}
