import type { Language } from './rules.ts';

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];

function ordinal(day: number): string {
  const teen = day % 100 >= 11 && day % 100 <= 13;
  return `${day}${teen ? 'th' : (['th', 'st', 'nd', 'rd'][day % 10] ?? 'th')}`;
}

/** 1998 is nineteen ninety-eight, 2026 twenty twenty-six, 2005 two thousand five, 1905 nineteen oh five. */
function year(value: number): string {
  const [century, rest] = [Math.floor(value / 100), value % 100];
  if (value < 1100 || value > 2099 || (value >= 2000 && value < 2010)) return String(value);
  if (rest === 0) return `${century} hundred`;
  return rest < 10 ? `${century} oh ${rest}` : `${century} ${rest}`;
}

/** American English; British differs in the order of slashed dates. */
export const english: Language = {
  decimalMark: '.',
  groupMark: ',',
  point: 'point',
  decimalsTogether: false,
  minus: 'minus',
  plus: 'plus',
  percent: 'percent',
  money: {
    $: { unit: ['dollar', 'dollars'] },
    USD: { unit: ['dollar', 'dollars'] },
    '€': { unit: ['euro', 'euros'] },
    EUR: { unit: ['euro', 'euros'] },
    '£': { unit: ['pound', 'pounds'] },
    GBP: { unit: ['pound', 'pounds'] },
    CHF: { unit: ['Swiss franc', 'Swiss francs'] },
  },
  units: {
    km: ['kilometer', 'kilometers'],
    m: ['meter', 'meters'],
    cm: ['centimeter', 'centimeters'],
    kg: ['kilogram', 'kilograms'],
    g: ['gram', 'grams'],
    '°C': ['degree Celsius', 'degrees Celsius'],
    '°F': ['degree Fahrenheit', 'degrees Fahrenheit'],
    'km/h': ['kilometer per hour', 'kilometers per hour'],
    min: ['minute', 'minutes'],
    h: ['hour', 'hours'],
  },
  signs: {
    '&': 'and',
    '+': 'plus',
    '=': 'equals',
    '%': 'percent',
    '#': 'number',
    '@': 'at',
    '°': 'degrees',
    '€': 'euros',
    $: 'dollars',
    '£': 'pounds',
  },
  abbreviations: {
    'Dr.': 'Doctor',
    'Mr.': 'Mister',
    'Mrs.': 'Missis',
    'Ms.': 'Miz',
    'St.': 'Saint',
    'No.#': 'number',
    'e.g.': 'for example',
    'i.e.': 'that is',
    'etc.': 'et cetera',
    'approx.': 'approximately',
  },
  date: (day, month, of) => `${MONTHS[month - 1] ?? ''} ${ordinal(day)} ${year(of)}`,
  time(hour, minute, half) {
    const shown = half === null && hour <= 12 ? hour : ((hour + 11) % 12) + 1;
    const minutes = minute === 0 ? '' : minute < 10 ? ` oh ${minute}` : ` ${minute}`;
    const name = half ?? (hour > 12 ? 'pm' : null);
    if (name === null) return minute === 0 ? `${shown} o'clock` : `${shown}${minutes}`;
    return `${shown}${minutes} ${name === 'am' ? 'A M' : 'P M'}`;
  },
  slashOrder: 'month-first',
  ordinalPattern: null,
  ordinal: () => null,
  dot: 'dot',
  at: 'at',
};

export const british: Language = { ...english, slashOrder: 'day-first' };
