import type { Language } from './rules.ts';

const MONTHS = ['Januar', 'Februar', 'März', 'April', 'Mai', 'Juni', 'Juli', 'August', 'September', 'Oktober', 'November', 'Dezember'];
const SMALL = [
  '',
  'erste',
  'zweite',
  'dritte',
  'vierte',
  'fünfte',
  'sechste',
  'siebte',
  'achte',
  'neunte',
  'zehnte',
  'elfte',
  'zwölfte',
  'dreizehnte',
  'vierzehnte',
  'fünfzehnte',
  'sechzehnte',
  'siebzehnte',
  'achtzehnte',
  'neunzehnte',
];
const ONES = ['', 'einund', 'zweiund', 'dreiund', 'vierund', 'fünfund', 'sechsund', 'siebenund', 'achtund', 'neunund'];
const TENS = ['', '', 'zwanzigste', 'dreißigste'];

/** am zwanzigsten, der zwanzigste, zwanzigster. */
function ordinal(day: number, before: string): string {
  const end = /^(?:am|vom|zum|dem|den|des|bis|seit|ab|nach|beim)$/i.test(before) ? 'n' : /^(?:der|die|das)$/i.test(before) ? '' : 'r';
  return `${stem(day)}${end}`;
}

const stem = (day: number): string => (day < 20 ? (SMALL[day] ?? '') : `${ONES[day % 10] ?? ''}${TENS[Math.floor(day / 10)] ?? ''}`);

/** 1998 is neunzehnhundertachtundneunzig; 2026 is a plain number. */
function year(value: number): string {
  if (value < 1100 || value > 1999) return String(value);
  const rest = value % 100;
  return `${Math.floor(value / 100)} hundert${rest === 0 ? '' : ` ${rest}`}`;
}

export const german: Language = {
  decimalMark: ',',
  groupMark: '.',
  point: 'Komma',
  decimalsTogether: false,
  minus: 'minus',
  plus: 'plus',
  percent: 'Prozent',
  money: {
    '€': { unit: ['Euro', 'Euro'] },
    EUR: { unit: ['Euro', 'Euro'] },
    $: { unit: ['Dollar', 'Dollar'] },
    USD: { unit: ['Dollar', 'Dollar'] },
    '£': { unit: ['Pfund', 'Pfund'] },
    GBP: { unit: ['Pfund', 'Pfund'] },
    CHF: { unit: ['Franken', 'Franken'] },
  },
  units: {
    km: ['Kilometer', 'Kilometer'],
    m: ['Meter', 'Meter'],
    cm: ['Zentimeter', 'Zentimeter'],
    kg: ['Kilogramm', 'Kilogramm'],
    g: ['Gramm', 'Gramm'],
    '°C': ['Grad Celsius', 'Grad Celsius'],
    'km/h': ['Kilometer pro Stunde', 'Kilometer pro Stunde'],
    min: ['Minute', 'Minuten'],
    h: ['Stunde', 'Stunden'],
    Uhr: ['Uhr', 'Uhr'],
  },
  signs: {
    '&': 'und',
    '+': 'plus',
    '=': 'gleich',
    '%': 'Prozent',
    '#': 'Raute',
    '@': 'ät',
    '°': 'Grad',
    '€': 'Euro',
    $: 'Dollar',
    '£': 'Pfund',
    '§': 'Paragraf',
  },
  abbreviations: {
    'Dr.': 'Doktor',
    'Nr.#': 'Nummer',
    'z.B.': 'zum Beispiel',
    'z. B.': 'zum Beispiel',
    'd.h.': 'das heißt',
    'd. h.': 'das heißt',
    'usw.': 'und so weiter',
    'ca.': 'circa',
    'bzw.': 'beziehungsweise',
    'Tel.': 'Telefon',
    'inkl.': 'inklusive',
  },
  date: (day, month, of, before) => `${ordinal(day, before)} ${MONTHS[month - 1] ?? ''} ${year(of)}`,
  time: (hour, minute, half) => `${half === 'pm' && hour < 12 ? hour + 12 : hour} Uhr${minute === 0 ? '' : ` ${minute}`}`,
  slashOrder: 'day-first',
  // "3. Mai", "am 20. November": only before a month, elsewhere the dot may end the sentence.
  ordinalPattern: new RegExp(`(\\d{1,2})(\\.)(?=\\s*(?:${MONTHS.join('|')})\\b)`, 'uy'),
  ordinal: (number, _suffix, before) => (number >= 1 && number <= 31 ? ordinal(number, before) : null),
  dot: 'Punkt',
  at: 'ät',
};
