/** German: words, phrases and the runner's own prompts. */
import type { LanguagePack } from './pack.ts';
import { fold } from './fold.ts';

export const WEEKDAYS = ['Montag', 'Dienstag', 'Mittwoch', 'Donnerstag', 'Freitag', 'Samstag', 'Sonntag'];
export const MONTHS = [
  'Januar',
  'Februar',
  'März',
  'April',
  'Mai',
  'Juni',
  'Juli',
  'August',
  'September',
  'Oktober',
  'November',
  'Dezember',
];

const UNITS = ['null', 'eins', 'zwei', 'drei', 'vier', 'fünf', 'sechs', 'sieben', 'acht', 'neun', 'zehn', 'elf', 'zwölf'];
const TENS = ['', 'zehn', 'zwanzig', 'dreißig', 'vierzig', 'fünfzig', 'sechzig', 'siebzig', 'achtzig', 'neunzig'];
const STEMS = ['', 'ein', 'zwei', 'drei', 'vier', 'fünf', 'sechs', 'sieben', 'acht', 'neun'];
const TEENS = ['', '', '', 'dreizehn', 'vierzehn', 'fünfzehn', 'sechzehn', 'siebzehn', 'achtzehn', 'neunzehn'];

/** 0 to 99 as they are said. */
export const NUMBER_NAMES: readonly string[] = Array.from({ length: 100 }, (_, n) => {
  if (n <= 12) return UNITS[n] ?? '';
  if (n < 20) return TEENS[n - 10] ?? '';
  const tens = TENS[Math.floor(n / 10)] ?? '';
  return n % 10 === 0 ? tens : `${STEMS[n % 10] ?? ''}und${tens}`;
});

export function smallNumbers(): [string, number][] {
  const below = NUMBER_NAMES.map((name, n) => [name, n] as [string, number]);
  for (const name of ['ein', 'eine', 'einen', 'einem', 'einer']) below.push([name, 1]);
  below.push(['zwo', 2]);
  for (let tens = 2; tens <= 9; tens++)
    for (let unit = 1; unit <= 9; unit++) {
      const value = tens * 10 + unit;
      below.push([`${STEMS[unit] ?? ''} und ${TENS[tens] ?? ''}`, value], [`${unit === 1 ? 'eins' : ''} und ${TENS[tens] ?? ''}`, value]);
      if (unit === 2) below.push([`zwound${TENS[tens] ?? ''}`, value]);
    }
  const all = below.filter(([name]) => !name.startsWith(' '));
  for (let hundreds = 1; hundreds <= 9; hundreds++) {
    const heads =
      hundreds === 1 ? ['hundert', 'einhundert', 'ein hundert'] : [`${STEMS[hundreds] ?? ''}hundert`, `${STEMS[hundreds] ?? ''} hundert`];
    for (const head of heads) {
      all.push([head, hundreds * 100]);
      for (const [name, n] of below)
        if (n > 0 && !name.startsWith(' '))
          for (const join of ['', ' ', 'und', ' und ']) all.push([`${head}${join}${name}`, hundreds * 100 + n]);
    }
  }
  return all.flatMap(([name, n]) => {
    const plain = fold(name);
    const spelled = fold(name.replaceAll('ü', 'ue').replaceAll('ö', 'oe'));
    return plain === spelled ? [[plain, n] as [string, number]] : [[plain, n] as [string, number], [spelled, n] as [string, number]];
  });
}

const ODD = new Map([
  [1, 'erst'],
  [3, 'dritt'],
  [7, 'siebt'],
  [8, 'acht'],
]);

/** "ersten", "siebenundzwanzigster", "3.". */
export function ordinals(): [string, number][] {
  return Array.from({ length: 31 }, (_, i) => i + 1).flatMap((day) => {
    const stem = ODD.get(day) ?? `${NUMBER_NAMES[day] ?? ''}${day < 20 ? 't' : 'st'}`;
    return ['e', 'en', 'er', 'em', 'es'].flatMap((ending) => {
      const word = `${stem}${ending}`;
      return [fold(word), fold(word.replaceAll('ü', 'ue').replaceAll('ö', 'oe'))].map((name) => [name, day] as [string, number]);
    });
  });
}

export const WORDS: LanguagePack['words'] = {
  yes: [
    'ja',
    'jawohl',
    'jo',
    'okay',
    'ok',
    'gerne',
    'gern',
    'genau',
    'richtig',
    'stimmt',
    'korrekt',
    'klar',
    'natürlich',
    'sicher',
    'passt',
    'perfekt',
    'einverstanden',
  ],
  no: ['nein', 'nee', 'nö', 'falsch', 'nichts', 'niemals', 'keinesfalls'],
  right: ['richtig', 'korrekt', 'gut', 'stimmt', 'passt', 'perfekt', 'wahr', 'prima'],
  wrong: ['falsch', 'verkehrt', 'inkorrekt'],
  links: ['ist', 'war', 'das', 'sind'],
  not: ['nicht', 'kein', 'keine'],
  question: [
    'was',
    'wo',
    'wann',
    'wie',
    'wer',
    'welche',
    'welcher',
    'welches',
    'warum',
    'wieso',
    'ist',
    'sind',
    'haben',
    'hat',
    'kann',
    'können',
    'darf',
    'gibt',
    'wird',
    'wohin',
  ],
  stop: [
    'der',
    'die',
    'das',
    'ein',
    'eine',
    'einen',
    'ist',
    'sind',
    'war',
    'ich',
    'du',
    'sie',
    'wir',
    'es',
    'mir',
    'mich',
    'mein',
    'meine',
    'ihr',
    'ihre',
    'uns',
    'zu',
    'von',
    'in',
    'im',
    'am',
    'an',
    'auf',
    'für',
    'und',
    'oder',
    'wenn',
    'bitte',
    'hallo',
    'ja',
    'nein',
    'okay',
    'was',
    'wer',
    'kann',
    'können',
    'haben',
    'habe',
    'wollen',
    'möchte',
    'wissen',
    'sagen',
    'über',
    'frage',
    'danke',
    'nicht',
    'noch',
    'mal',
    'denn',
  ],
};

export const INTENTS: LanguagePack['intents'] = {
  machine: [
    'sind|bist sie|du * mensch|maschine|roboter|computer|bot|ki|automat|echt',
    '(ist das|spreche ich|rede ich) * maschine|roboter|computer|bot|ki|automat|mensch|menschen|band|aufnahme',
  ],
  person: [
    '(mit|einen|einem|eine|jemanden) * mensch|menschen|person|mitarbeiter|mitarbeiterin|kollegen|kollegin|berater|jemandem|zentrale sprechen|reden|verbinden|haben?',
    'mensch|menschen|person|mitarbeiter|mitarbeiterin|kollegen|kollegin|berater|jemandem|jemanden sprechen|reden|verbunden|verbinden',
    'verbinden|verbinde sie? mich|uns',
    'stellen sie mich durch',
    'mich * verbinden|durchstellen',
    '(echten|richtigen|echte) menschen|mensch|person|mitarbeiter',
    '^ mensch|mitarbeiter|berater|zentrale|vermittlung bitte? $',
  ],
  repeat: [
    '(noch einmal|nochmal|noch mal) bitte? $',
    'sagen|wiederholen * noch|nochmal|einmal|bitte|das',
    'was haben|hast sie|du gesagt',
    'wie bitte',
    '^ wiederholen',
    'nicht|schlecht verstanden|gehört',
  ],
  hold: [
    '^ moment',
    '(einen|ein) * moment|augenblick|sekunde|minute',
    '(warten|bleiben) sie',
    'warte|warten mal|bitte|kurz',
    '^ augenblick',
    'kleinen moment',
  ],
  goodbye: [
    'wiederhören|tschüss|tschüs|ciao|wiedersehen',
    'auflegen',
    '(das war|das wars|das ist) * alles',
    '^ sonst nichts',
    '^ das wars',
  ],
  hello: ['^ hallo|hi|servus|moin|grüezi $', '^ guten tag|morgen|abend $', '^ grüß gott $', '^ (danke|vielen dank|danke schön) $'],
  'dont-know': ['weiß|weiss * nicht', 'keine ahnung', 'nicht sicher'],
};

export const PROMPTS: LanguagePack['prompts'] = {
  not_understood: 'Entschuldigung, das habe ich nicht verstanden.',
  still_there: 'Sind Sie noch da?',
  silence_goodbye: 'Leider höre ich Sie nicht. Bitte rufen Sie noch einmal an. Auf Wiederhören.',
  give_up: 'Leider verstehe ich Sie nicht. Ich verbinde Sie mit einer Kollegin oder einem Kollegen.',
  give_up_goodbye:
    'Leider verstehe ich Sie nicht, und im Moment ist niemand erreichbar. Bitte rufen Sie später noch einmal an. Auf Wiederhören.',
  too_long: 'Entschuldigung, das dauert zu lange. Ich verbinde Sie mit einer Kollegin oder einem Kollegen.',
  i_am_a_machine: 'Ich bin eine Maschine, ein automatischer Assistent, und kein Mensch.',
  hold_on: 'Natürlich, lassen Sie sich Zeit.',
  goodbye: 'Vielen Dank für Ihren Anruf. Auf Wiederhören.',
  transferring: 'Ich verbinde Sie. Einen Moment bitte.',
  transfer_failed: 'Leider kann gerade niemand Ihren Anruf annehmen.',
  no_person: 'Leider ist auf dieser Leitung im Moment niemand erreichbar.',
  dont_know: 'Das weiß ich leider nicht.',
  dont_know_offer: 'Das weiß ich leider nicht. Möchten Sie mit einer Kollegin oder einem Kollegen sprechen?',
  all_right: 'In Ordnung.',
  out_of_range: 'Das ist leider nicht möglich.',
  which_part: 'Entschuldigung. Was soll ich ändern?',
  one_moment: 'Einen Moment bitte, ich sehe nach.',
  interrupted: 'Entschuldigung, wir waren kurz unterbrochen.',
  tool_failed: 'Das geht im Moment leider nicht.',
  asking_approval: 'Dazu muss ich jemanden fragen. Einen Moment bitte.',
  not_approved: 'Das darf ich leider nicht.',
  shall_i: 'Soll ich das jetzt für Sie tun?',
};
