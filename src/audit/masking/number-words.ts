/** Spoken numbers in four languages, as far as it takes to see that somebody reads a number out: which words, which digits. */

export interface NumberWords {
  /** Words of one digit. */
  readonly units: Readonly<Record<string, string>>;
  /** Whole words of two digits: ten to nineteen, and compounds of one word. */
  readonly pairs: Readonly<Record<string, string>>;
  /** Twenty, thirty: a unit may follow, with or without `joiner`. */
  readonly tens: Readonly<Record<string, string>>;
  readonly joiner: string | null;
  /** French: soixante and quatre-vingt go on to nineteen. */
  readonly tensTakePairs: boolean;
  /** Hundred, thousand: what stands around them is one quantity. */
  readonly scales: ReadonlySet<string>;
  readonly twice: ReadonlySet<string>;
  readonly thrice: ReadonlySet<string>;
}

const index = (words: string, first: number): Record<string, string> =>
  Object.fromEntries(words.split(' ').flatMap((word, i) => word.split('|').map((form) => [form, String(first + i)])));
const tens = (words: string): Record<string, string> =>
  Object.fromEntries(words.split(' ').flatMap((word, i) => word.split('|').map((form) => [form, String((i + 2) * 10)])));
const set = (words: string): ReadonlySet<string> => new Set(words === '' ? [] : words.split(' '));

const EN: NumberWords = {
  units: index('zero|oh|nought|null one two|too|to three four|for five six seven eight|ate nine|niner', 0),
  pairs: index('ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen', 10),
  tens: tens('twenty thirty forty|fourty fifty sixty seventy eighty ninety'),
  joiner: null,
  tensTakePairs: false,
  scales: set('hundred thousand million'),
  twice: set('double'),
  thrice: set('triple treble'),
};

const DE_UNITS = 'null eins|ein|eine zwei|zwo drei vier funf sechs sieben acht neun';
const DE_TENS = 'zwanzig dreissig|dreisig vierzig funfzig sechzig siebzig achtzig neunzig';
const DE: NumberWords = {
  units: index(DE_UNITS, 0),
  pairs: { ...index('zehn elf zwolf dreizehn vierzehn funfzehn sechzehn siebzehn achtzehn neunzehn', 10), ...germanCompounds() },
  tens: tens(DE_TENS),
  joiner: null,
  tensTakePairs: false,
  scales: set('hundert tausend million millionen'),
  twice: set('doppel doppelt zweimal'),
  thrice: set('dreimal dreifach'),
};

/** einundzwanzig to neunundneunzig. */
function germanCompounds(): Record<string, string> {
  const compounds: Record<string, string> = {};
  const units = index('ein zwei|zwo drei vier funf sechs sieben acht neun', 1);
  for (const [unit, digit] of Object.entries(units)) {
    for (const [ten, value] of Object.entries(tens(DE_TENS))) compounds[`${unit}und${ten}`] = String(Number(value) + Number(digit));
  }
  return compounds;
}

const FR: NumberWords = {
  units: index('zero un|une deux trois quatre cinq six sept huit neuf', 0),
  pairs: index('dix onze douze treize quatorze quinze seize', 10),
  tens: { ...tens('vingt trente quarante cinquante soixante septante huitante|octante nonante') },
  joiner: 'et',
  tensTakePairs: true,
  scales: set('cent cents mille million millions'),
  twice: set('double'),
  thrice: set('triple'),
};

const ES: NumberWords = {
  units: index('cero uno|un|una dos tres cuatro cinco seis siete ocho nueve', 0),
  pairs: {
    ...index('diez once doce trece catorce quince dieciseis diecisiete dieciocho diecinueve', 10),
    ...index('veintiuno|veintiun veintidos veintitres veinticuatro veinticinco veintiseis veintisiete veintiocho veintinueve', 21),
  },
  tens: tens('veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa'),
  joiner: 'y',
  tensTakePairs: false,
  scales: set(
    'cien ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos mil millon millones',
  ),
  twice: set('doble'),
  thrice: set('triple'),
};

export const NUMBER_WORDS: readonly NumberWords[] = [EN, DE, FR, ES];

/** May stand between two parts of a number that is read out. */
export const FILLERS = set(
  'and then dash hyphen space dot point slash minus uh um er eh und dann strich punkt ah ahm hm et puis tiret espace euh y guion luego espacio punto de la le',
);

/** Digits only right between spoken ones: "to", "for". */
export const HOMOPHONES = set('to too for ate');
/** Digits only beside a spoken one: "un", "ein". */
export const ARTICLES = set('ein eine un une una');

export function plainWord(word: string): string {
  return word.toLowerCase().replaceAll('ß', 'ss').normalize('NFD').replace(/\p{M}/gu, '').replace(/['’]/g, '');
}
