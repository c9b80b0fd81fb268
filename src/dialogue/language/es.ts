/** Spanish. */
import { INTENTS, MONTHS, NUMBER_NAMES, PROMPTS, smallNumbers, WEEKDAYS, WORDS } from './es-words.ts';
import { fold } from './fold.ts';
import { makePack } from './make-pack.ts';

export const SPANISH = makePack({
  code: 'es',
  words: WORDS,
  intents: INTENTS,
  prompts: PROMPTS,
  numbers: { small: smallNumbers(), thousand: ['mil'], million: ['millon', 'millones'], and: [] },
  numberNames: NUMBER_NAMES,
  dayWords: {
    weekdays: WEEKDAYS.map((name) => [fold(name)]),
    months: MONTHS.map((name) => (name === 'septiembre' ? ['septiembre', 'setiembre'] : [name])),
    relative: [
      ['hoy', 0],
      ['esta tarde', 0],
      ['esta noche', 0],
      ['manana', 1],
      ['pasado manana', 2],
      ['de hoy en ocho', 7],
    ],
    notAfter: { manana: ['la', 'hasta', 'esta'] },
    ahead: { before: ['en', 'de'], units: { dia: 1, dias: 1, semana: 7, semanas: 7 } },
    loosely: { 8: 7, 15: 14 },
    nextWeek: ['la semana que viene', 'la proxima semana', 'la semana proxima', 'proxima semana', 'semana que viene', 'semana proxima'],
    weekLater: ['en ocho', 'en una semana', 'que viene no el siguiente'],
    ordinals: [
      ['primero', 1],
      ['primer', 1],
    ],
    links: ['de', 'del', 'el'],
    articles: ['el', 'dia', 'al'],
    dayAfter: ['el', 'dia'],
    notBefore: ['vez'],
  },
  timeWords: {
    templates: [
      ['{h} horas? menos cuarto', -15, 0],
      ['{h} horas? menos un cuarto', -15, 0],
      ['{h} horas? menos {m}', 0, -1],
      ['{h} horas? y media', 30, 0],
      ['{h} horas? y cuarto', 15, 0],
      ['{m} para las|la {h}', 0, -1],
      ['cuarto para las|la {h}', -15, 0],
      ['{h} horas y? {m}', 0, 1],
      ['{h} horas', 0, 0],
      ['{h} en punto', 0, 0],
    ],
    loose: [
      ['{h} y {m}', 0, 1],
      ['{h} con {m}', 0, 1],
      ['{h} {m}', 0, 1],
      ['{h}', 0, 0],
    ],
    fixed: [
      ['mediodia', 12, 0],
      ['medio dia', 12, 0],
      ['medianoche', 0, 0],
      ['media noche', 0, 0],
    ],
    marks: ['las', 'la', 'sobre', 'hacia'],
    parts: [
      ['de la manana', 'am'],
      ['por la manana', 'am'],
      ['en la manana', 'am'],
      ['de la madrugada', 'am'],
      ['de la tarde', 'pm'],
      ['por la tarde', 'pm'],
      ['en la tarde', 'pm'],
      ['esta tarde', 'pm'],
      ['de la noche', 'pm'],
      ['por la noche', 'pm'],
      ['en la noche', 'pm'],
      ['esta noche', 'pm'],
      ['del mediodia', 'pm'],
    ],
  },
  spelling: {
    letters: [
      ['be', 'b'],
      ['be larga', 'b'],
      ['ce', 'c'],
      ['de', 'd'],
      ['efe', 'f'],
      ['ge', 'g'],
      ['hache', 'h'],
      ['jota', 'j'],
      ['ka', 'k'],
      ['ele', 'l'],
      ['eme', 'm'],
      ['ene', 'n'],
      ['eñe', 'ñ'],
      ['pe', 'p'],
      ['cu', 'q'],
      ['ere', 'r'],
      ['erre', 'r'],
      ['ese', 's'],
      ['te', 't'],
      ['uve', 'v'],
      ['ve', 'v'],
      ['ve corta', 'v'],
      ['uve doble', 'w'],
      ['doble ve', 'w'],
      ['doble u', 'w'],
      ['equis', 'x'],
      ['i griega', 'y'],
      ['ye', 'y'],
      ['zeta', 'z'],
    ],
    alphabet: (
      'antonio:a burgos:b barcelona:b carmen:c dolores:d enrique:e francia:f gerona:g historia:h ines:i jose:j kilo:k lorenzo:l madrid:m navarra:n ' +
      'oviedo:o paris:p querido:q ramon:r sevilla:s sabado:s toledo:t ulises:u valencia:v washington:w xilofono:x yegua:y zaragoza:z'
    )
      .split(' ')
      .map((entry) => entry.split(':') as [string, string]),
    asIn: ['de', 'como', 'como en'],
    twice: ['doble', 'dos veces'],
    signs: [
      ['arroba', '@'],
      ['punto', '.'],
      ['guion', '-'],
      ['guion medio', '-'],
      ['guion bajo', '_'],
      ['barra baja', '_'],
      ['subrayado', '_'],
      ['mas', '+'],
    ],
    nameLead: [
      'me llamo',
      'mi nombre es',
      'soy',
      'a nombre de',
      'el nombre es',
      'hola',
      'si',
      'pues',
      'senor',
      'senora',
      'mi correo es',
      'mi correo electronico es',
      'mi email es',
      'la direccion es',
      'el correo es',
      'es',
      'mi direccion es',
    ],
    spelled: ['se escribe', 'deletreado', 'con'],
  },
  money: {
    currencies: [
      ['euro', 'EUR'],
      ['euros', 'EUR'],
      ['dolar', 'USD'],
      ['dolares', 'USD'],
      ['dollar', 'USD'],
      ['francos', 'CHF'],
      ['franco', 'CHF'],
      ['libra', 'GBP'],
      ['libras', 'GBP'],
    ],
    minor: ['centimo', 'centimos', 'centavos', 'centavo'],
    and: ['con', 'y'],
    spoken: { EUR: ['euro', 'euros'], USD: ['dólar', 'dólares'], CHF: ['franco', 'francos'], GBP: ['libra', 'libras'] },
    pound: 'libras',
  },
  prepare: (text) =>
    text
      .replace(/(\d)\.(?=\d{3}\b)/g, '$1')
      .replace(/\b(\d{1,2})[.h](\d{2})\b/g, '$1:$2')
      .replace(/\b(\d+),(\d{2})\b/g, '$1:$2')
      .replace(/\b1\s?[º°o]\b/g, 'primero'),
  split: (word) => [word],
  stem: (word) => word.replace(/(?<=\w{3})(amente|ciones|ción|ar|er|ir|os|as|es|s|o|a|e)$/, ''),
  sayDate: (day, month, weekday) => `${WEEKDAYS[weekday] ?? ''} ${day} de ${MONTHS[month - 1] ?? ''}`,
  sayTime: (hour, minute, number) => {
    const part = hour < 6 ? 'de la madrugada' : hour < 12 ? 'de la mañana' : hour < 21 ? 'de la tarde' : 'de la noche';
    const half = (hour + (minute === 45 ? 1 : 0)) % 12;
    const clock = half === 1 ? 'una' : number(half === 0 ? 12 : half);
    const rest =
      minute === 0
        ? ''
        : minute === 15
          ? ' y cuarto'
          : minute === 30
            ? ' y media'
            : minute === 45
              ? ' menos cuarto'
              : ` y ${number(minute)}`;
    return `${clock}${rest} ${part}`;
  },
  yesNo: ['sí', 'no'],
});
