/** The phrase tables of the languages: what people wrote down in test/fixtures/phrases, and plain combinations of words with known values. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDialogue, parseFlow } from '../../src/dialogue/index.ts';

/** A Friday. */
export const TODAY = '2026-11-20';

export interface Phrase {
  readonly slot: string;
  readonly said: string;
  readonly value: string;
}

interface Words {
  /** One to twelve. */
  readonly hours: readonly string[];
  /** Text with {h}, minutes after the hour, half of the day. */
  readonly times: readonly (readonly [text: string, minutes: number, half: 'am' | 'pm'])[];
  /** Monday first. */
  readonly weekdays: readonly string[];
  readonly weekday: readonly string[];
  readonly months: readonly string[];
  /** Text with {month}, day. */
  readonly dates: readonly (readonly [text: string, day: number])[];
  readonly numbers: readonly (readonly [text: string, value: number])[];
}

const WORDS: Readonly<Record<string, Words>> = {
  en: {
    hours: 'one two three four five six seven eight nine ten eleven twelve'.split(' '),
    times: [
      ['at {h} in the morning', 0, 'am'],
      ["{h} o'clock in the evening", 0, 'pm'],
      ['half past {h} pm', 30, 'pm'],
      ['quarter past {h} am', 15, 'am'],
      ['quarter to {h} pm', -15, 'pm'],
      ['{h} thirty pm', 30, 'pm'],
      ['twenty past {h} in the afternoon', 20, 'pm'],
      ['ten to {h} in the morning', -10, 'am'],
      ['{h} am', 0, 'am'],
      ['around {h} at night', 0, 'pm'],
      ['five past {h} in the evening', 5, 'pm'],
      ['{h} fifteen in the morning', 15, 'am'],
    ],
    weekdays: 'Monday Tuesday Wednesday Thursday Friday Saturday Sunday'.split(' '),
    weekday: ['{d}', 'on {d} please', 'next {d}', 'this coming {d} would be good'],
    months: 'January February March April May June July August September October November December'.split(' '),
    dates: [
      ['the third of {month}', 3],
      ['{month} the twenty first', 21],
      ['{month} 15', 15],
      ['the 28th of {month}', 28],
    ],
    numbers: [
      ['eleven', 11],
      ['thirteen', 13],
      ['fifty five', 55],
      ['ninety nine', 99],
      ['three hundred', 300],
      ['thirty one', 31],
      ['sixty', 60],
      ['eighty eight', 88],
    ],
  },
  de: {
    hours: 'eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf'.split(' '),
    times: [
      ['um {h} Uhr morgens', 0, 'am'],
      ['{h} Uhr abends', 0, 'pm'],
      ['viertel nach {h} am Vormittag', 15, 'am'],
      ['viertel vor {h} am Abend', -15, 'pm'],
      ['halb {h} nachmittags', -30, 'pm'],
      ['zwanzig nach {h} abends', 20, 'pm'],
      ['zehn vor {h} am Morgen', -10, 'am'],
      ['fünf nach halb {h} abends', -25, 'pm'],
      ['ab {h} am Nachmittag', 0, 'pm'],
      ['gegen {h} Uhr fünfzehn morgens', 15, 'am'],
      ['heute Abend um {h}', 0, 'pm'],
    ],
    weekdays: 'Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag'.split(' '),
    weekday: ['{d}', 'am {d} bitte', 'nächsten {d}', 'kommenden {d} wäre gut'],
    months: 'Januar Februar März April Mai Juni Juli August September Oktober November Dezember'.split(' '),
    dates: [
      ['der dritte {month}', 3],
      ['am einundzwanzigsten {month}', 21],
      ['am 15. {month}', 15],
      ['den achtundzwanzigsten {month}', 28],
    ],
    numbers: [
      ['elf', 11],
      ['dreizehn', 13],
      ['fünfundfünfzig', 55],
      ['neunundneunzig', 99],
      ['dreihundert', 300],
      ['einunddreißig', 31],
      ['sechzig', 60],
      ['achtundachtzig', 88],
    ],
  },
  fr: {
    hours: 'une deux trois quatre cinq six sept huit neuf dix onze douze'.split(' '),
    times: [
      ['à {h} heures du matin', 0, 'am'],
      ['{h} heures du soir', 0, 'pm'],
      ['{h} heures et quart du matin', 15, 'am'],
      ["{h} heures moins le quart de l'après-midi", -15, 'pm'],
      ['{h} heures et demie du soir', 30, 'pm'],
      ['{h} heures vingt du soir', 20, 'pm'],
      ['{h} heures moins dix du matin', -10, 'am'],
      ['vers {h} heures trente-cinq du soir', 35, 'pm'],
      ['ce soir à {h} heures', 0, 'pm'],
      ['{h} heures cinq du matin', 5, 'am'],
      ['pour {h} heures et demie du matin', 30, 'am'],
      ['demain soir à {h} heures quarante', 40, 'pm'],
    ],
    weekdays: 'lundi mardi mercredi jeudi vendredi samedi dimanche'.split(' '),
    weekday: ['{d}', "{d} s'il vous plaît", '{d} prochain', 'plutôt le {d}'],
    months: 'janvier février mars avril mai juin juillet août septembre octobre novembre décembre'.split(' '),
    dates: [
      ['le trois {month}', 3],
      ['le vingt et un {month}', 21],
      ['le 15 {month}', 15],
      ['le vingt-huit {month}', 28],
    ],
    numbers: [
      ['onze', 11],
      ['treize', 13],
      ['cinquante-cinq', 55],
      ['quatre-vingt-dix-neuf', 99],
      ['trois cents', 300],
      ['trente et un', 31],
      ['soixante', 60],
      ['quatre-vingt-huit', 88],
    ],
  },
  es: {
    hours: 'una dos tres cuatro cinco seis siete ocho nueve diez once doce'.split(' '),
    times: [
      ['a las {h} de la mañana', 0, 'am'],
      ['las {h} de la noche', 0, 'pm'],
      ['a las {h} y cuarto de la mañana', 15, 'am'],
      ['a las {h} menos cuarto de la tarde', -15, 'pm'],
      ['las {h} y media de la tarde', 30, 'pm'],
      ['sobre las {h} y veinte de la tarde', 20, 'pm'],
      ['a las {h} menos diez de la mañana', -10, 'am'],
      ['las {h} y treinta y cinco de la noche', 35, 'pm'],
      ['esta tarde a las {h}', 0, 'pm'],
      ['las {h} y cinco de la mañana', 5, 'am'],
      ['a las {h} y media de la mañana', 30, 'am'],
      ['a las {h} cuarenta de la tarde', 40, 'pm'],
    ],
    weekdays: 'lunes martes miércoles jueves viernes sábado domingo'.split(' '),
    weekday: ['{d}', 'el {d} por favor', 'el próximo {d}', 'mejor el {d}'],
    months: 'enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre'.split(' '),
    dates: [
      ['el tres de {month}', 3],
      ['el veintiuno de {month}', 21],
      ['el 15 de {month}', 15],
      ['el día veintiocho de {month}', 28],
    ],
    numbers: [
      ['once', 11],
      ['trece', 13],
      ['cincuenta y cinco', 55],
      ['noventa y nueve', 99],
      ['trescientos', 300],
      ['treinta y uno', 31],
      ['sesenta', 60],
      ['ochenta y ocho', 88],
    ],
  },
};

export const PHRASE_LANGUAGES = Object.keys(WORDS);

export function phrasesOf(language: string): readonly Phrase[] {
  const file = join(import.meta.dirname, '..', 'fixtures', 'phrases', `${language}.tsv`);
  const written = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [slot = '', said = '', value = ''] = line.split('\t');
      return { slot, said, value };
    });
  return [...written, ...combined(WORDS[language]!)];
}

function combined(words: Words): Phrase[] {
  const clock = (hour: number, minutes: number, half: 'am' | 'pm'): string => {
    const total = (((hour % 12) * 60 + minutes + 720) % 720) + (half === 'pm' ? 720 : 0);
    return `${String(Math.floor(total / 60)).padStart(2, '0')}:${String(total % 60).padStart(2, '0')}`;
  };
  const coming = (weekday: number): string => `2026-11-${String(20 + ((weekday + 2) % 7) + 1).padStart(2, '0')}`;
  const dated = (month: number, day: number): string => {
    const iso = (year: number): string => `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
    return iso(2026) >= TODAY ? iso(2026) : iso(2027);
  };
  return [
    ...words.times.flatMap(([text, minutes, half]) =>
      words.hours.map((hour, i) => ({ slot: 'time', said: text.replace('{h}', hour), value: clock(i + 1, minutes, half) })),
    ),
    ...words.weekday.flatMap((text) => words.weekdays.map((day, i) => ({ slot: 'day', said: text.replace('{d}', day), value: coming(i) }))),
    ...words.dates.flatMap(([text, day]) =>
      words.months.map((month, i) => ({ slot: 'day', said: text.replace('{month}', month), value: dated(i + 1, day) })),
    ),
    ...words.numbers.map(([said, value]) => ({ slot: 'number', said, value: String(value) })),
  ];
}

/** What a call understands of a phrase, asked for that slot. */
export function understand(language: string): (phrase: Phrase) => string | undefined {
  const calls = new Map<string, (said: string) => string | undefined>();
  return ({ slot, said }) => {
    let call = calls.get(slot);
    if (call === undefined) calls.set(slot, (call = slotCall(language, slot)));
    return call(said);
  };
}

function slotCall(language: string, slot: string): (said: string) => string | undefined {
  const [type = '', country = ''] = slot.split(':');
  const slots =
    type === 'day-time'
      ? '{ it: { type: day, withinDays: 3000 }, at: { type: time } }'
      : `{ it: { type: ${type}${type === 'day' ? ', withinDays: 3000' : ''}${country === '' ? '' : `, country: ${country}`} } }`;
  const text = `flow: phrases\nlanguage: ${language}\nstart: ask\nslots: ${slots}\nprompts: { q: "?", bye: "." }\nsteps:\n  ask: { ask: it, prompt: q, next: bye }\n  bye: { end: leave, prompt: bye }\n`;
  const dialogue = createDialogue(parseFlow(text, 'phrases.yaml'), { today: TODAY });
  const [asked] = dialogue.step(dialogue.begin(), { t: 'start', variables: {} });
  return (said) => {
    const [state] = dialogue.step(asked, { t: 'heard', text: said, confidence: 1 });
    const slots = dialogue.slots(state);
    const parts = type === 'day-time' ? [slots['it']?.value, slots['at']?.value] : [slots['it']?.value];
    return parts.every((part) => part !== undefined) ? parts.join(' ') : undefined;
  };
}
