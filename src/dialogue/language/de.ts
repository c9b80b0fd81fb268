/** German. */
import { INTENTS, MONTHS, NUMBER_NAMES, ordinals, PROMPTS, smallNumbers, WEEKDAYS, WORDS } from './de-words.ts';
import { fold } from './fold.ts';
import { makePack } from './make-pack.ts';

export const GERMAN = makePack({
  code: 'de',
  words: WORDS,
  intents: INTENTS,
  prompts: PROMPTS,
  numbers: { small: smallNumbers(), thousand: ['tausend', 'eintausend'], million: ['million', 'millionen'], and: ['und'] },
  numberNames: NUMBER_NAMES,
  dayWords: {
    weekdays: WEEKDAYS.map((name, i) => {
      const day = fold(name);
      const names = [day, `${day}s`, ...['morgen', 'vormittag', 'mittag', 'nachmittag', 'abend'].map((part) => `${day}${part}`)];
      return i === 5 ? [...names, 'sonnabend', 'sonnabends'] : names;
    }),
    months: MONTHS.map((name, i) =>
      i === 0
        ? ['januar', 'janner']
        : i === 1
          ? ['februar', 'feber']
          : i === 2
            ? ['marz', 'maerz']
            : i === 5
              ? ['juni', 'juno']
              : i === 6
                ? ['juli', 'julei']
                : [fold(name)],
    ),
    relative: [
      ['heute', 0],
      ['heut', 0],
      ['morgen', 1],
      ['ubermorgen', 2],
      ['uebermorgen', 2],
      ['in einer woche', 7],
      ['in zwei wochen', 14],
      ['heute in einer woche', 7],
      ['heute in zwei wochen', 14],
      ['morgen in einer woche', 8],
    ],
    notAfter: { morgen: ['am', 'guten', 'jeden', 'schonen'] },
    ahead: { before: ['in'], units: { tag: 1, tage: 1, tagen: 1, woche: 7, wochen: 7 } },
    loosely: { 8: 7 },
    nextWeek: [
      'nachste woche',
      'nachster woche',
      'naechste woche',
      'naechster woche',
      'kommende woche',
      'kommender woche',
      'der nachsten woche',
    ],
    weekLater: ['in einer woche'],
    ordinals: ordinals(),
    links: ['der', 'den', 'dem'],
    articles: ['am', 'den', 'der', 'dem', 'zum'],
    dayAfter: ['am', 'zum'],
    notBefore: [],
  },
  timeWords: {
    templates: [
      ['{m} minuten? vor halb {h}', -30, -1],
      ['{m} minuten? nach halb {h}', -30, 1],
      ['{m} minuten? vor {h} uhr?', 0, -1],
      ['{m} minuten? nach {h} uhr?', 0, 1],
      ['viertel vor {h}', -15, 0],
      ['viertel nach {h}', 15, 0],
      ['dreiviertel {h}', -15, 0],
      ['drei viertel {h}', -15, 0],
      ['viertel {h}', -45, 0],
      ['kurz vor|nach {h}', 0, 0],
      ['halb {h}', -30, 0],
      ['{h} uhr und? {m}', 0, 1],
      ['{h} uhr', 0, 0],
    ],
    loose: [
      ['{h} {m}', 0, 1],
      ['{h}', 0, 0],
    ],
    fixed: [
      ['mittag', 12, 0],
      ['mittags', 12, 0],
      ['mitternacht', 0, 0],
    ],
    marks: ['um', 'gegen', 'ab', 'bis', 'circa', 'ungefahr', 'so', 'punkt', 'schlag'],
    parts: [
      ['morgens', 'am'],
      ['am morgen', 'am'],
      ['morgen fruh', 'am'],
      ['fruh', 'am'],
      ['fruhmorgens', 'am'],
      ['in der fruh', 'am'],
      ['vormittags', 'am'],
      ['vormittag', 'am'],
      ['am vormittag', 'am'],
      ['mittags', 'pm'],
      ['nachmittags', 'pm'],
      ['nachmittag', 'pm'],
      ['am nachmittag', 'pm'],
      ['abends', 'pm'],
      ['abend', 'pm'],
      ['am abend', 'pm'],
      ['nachts', 'night'],
      ['in der nacht', 'night'],
      ...WEEKDAYS.flatMap((name) => {
        const day = fold(name);
        return [
          [`${day}abend`, 'pm'],
          [`${day}nachmittag`, 'pm'],
          [`${day}morgen`, 'am'],
          [`${day}vormittag`, 'am'],
        ] as const;
      }),
    ],
  },
  spelling: {
    letters: [
      ['be', 'b'],
      ['ce', 'c'],
      ['zeh', 'c'],
      ['de', 'd'],
      ['ef', 'f'],
      ['ge', 'g'],
      ['ha', 'h'],
      ['jot', 'j'],
      ['ka', 'k'],
      ['el', 'l'],
      ['em', 'm'],
      ['en', 'n'],
      ['pe', 'p'],
      ['ku', 'q'],
      ['er', 'r'],
      ['es', 's'],
      ['te', 't'],
      ['vau', 'v'],
      ['we', 'w'],
      ['ix', 'x'],
      ['ypsilon', 'y'],
      ['zett', 'z'],
      ['zet', 'z'],
      ['eszett', 'ß'],
      ['scharfes s', 'ß'],
      ['umlaut a', 'ä'],
      ['umlaut o', 'ö'],
      ['umlaut u', 'ü'],
      ['a umlaut', 'ä'],
      ['o umlaut', 'ö'],
      ['u umlaut', 'ü'],
    ],
    alphabet: (
      'anton:a arger:ä berta:b casar:c charlotte:ch dora:d emil:e friedrich:f gustav:g heinrich:h ida:i julius:j kaufmann:k konrad:k ludwig:l ' +
      'martha:m nordpol:n otto:o okonom:ö paula:p quelle:q richard:r samuel:s siegfried:s schule:sch theodor:t ulrich:u ubermut:ü viktor:v ' +
      'wilhelm:w xanthippe:x xaver:x zacharias:z zeppelin:z'
    )
      .split(' ')
      .map((entry) => entry.split(':') as [string, string]),
    asIn: ['wie', 'wie in', 'von'],
    twice: ['doppel', 'zweimal', 'zwei mal'],
    signs: [
      ['at', '@'],
      ['at zeichen', '@'],
      ['klammeraffe', '@'],
      ['punkt', '.'],
      ['minus', '-'],
      ['bindestrich', '-'],
      ['strich', '-'],
      ['unterstrich', '_'],
      ['tiefstrich', '_'],
      ['plus', '+'],
    ],
    nameLead: [
      'mein name ist',
      'ich heisse',
      'ich bin',
      'hier ist',
      'hier spricht',
      'das ist',
      'der name ist',
      'name ist',
      'auf den namen',
      'guten tag',
      'hallo',
      'ja',
      'also',
      'ahm',
      'frau',
      'herr',
      'die adresse ist',
      'meine adresse ist',
      'meine mailadresse ist',
      'meine email ist',
      'sie lautet',
      'meine e mail adresse ist',
      'die e mail ist',
      'meine e mail ist',
    ],
    spelled: ['buchstabiert', 'geschrieben', 'ich buchstabiere', 'mit'],
  },
  money: {
    currencies: [
      ['euro', 'EUR'],
      ['euros', 'EUR'],
      ['dollar', 'USD'],
      ['franken', 'CHF'],
      ['pfund', 'GBP'],
    ],
    minor: ['cent', 'cents', 'rappen'],
    and: ['und'],
    spoken: { EUR: ['Euro', 'Euro'], USD: ['Dollar', 'Dollar'], CHF: ['Franken', 'Franken'], GBP: ['Pfund', 'Pfund'] },
    pound: 'pfund',
  },
  prepare: (text) =>
    text
      .replace(/(\d)\.(?=\d{3}\b)/g, '$1')
      .replace(/\b(um|gegen|ab|bis) (\d{1,2})\.(\d{2})\b/g, '$1 $2:$3')
      .replace(/\b(\d{1,2})[.](\d{2})(?= ?uhr)/g, '$1:$2')
      .replace(/\b(\d+),(\d{2})\b/g, '$1:$2')
      .replace(/(\d)(uhr|euro|h)\b/g, '$1 $2'),
  split(word, isNumber) {
    const doubled = /^doppel(\p{L})$/u.exec(word);
    if (doubled !== null) return ['doppel', doubled[1] ?? ''];
    const at = word.indexOf('tausend');
    if (at < 0 || word === 'tausend') return [word];
    const head = word.slice(0, at);
    const rest = word.slice(at + 7).replace(/^und(?=.)/, '');
    const isWhole = (head === '' || isNumber(head)) && (rest === '' || isNumber(rest));
    return isWhole ? [head, 'tausend', rest].filter((part) => part !== '') : [word];
  },
  stem: (word) => word.replace(/(?<=\w{3})(en|er|es|em|e|n|s)$/, ''),
  sayDate: (day, month, weekday) => `${WEEKDAYS[weekday] ?? ''}, den ${day}. ${MONTHS[month - 1] ?? ''}`,
  sayTime: (hour, minute, number) => {
    const clock = `${hour === 1 ? 'ein' : number(hour)} Uhr`;
    return minute === 0 ? clock : `${clock} ${number(minute)}`;
  },
  yesNo: ['ja', 'nein'],
});
