/** French: words, phrases and the runner's own prompts. */
import { foldAll } from './fold.ts';
import type { LanguagePack } from './pack.ts';

export const WEEKDAYS = ['lundi', 'mardi', 'mercredi', 'jeudi', 'vendredi', 'samedi', 'dimanche'];
export const MONTHS = [
  'janvier',
  'février',
  'mars',
  'avril',
  'mai',
  'juin',
  'juillet',
  'août',
  'septembre',
  'octobre',
  'novembre',
  'décembre',
];

const FIRST = [
  'zéro',
  'un',
  'deux',
  'trois',
  'quatre',
  'cinq',
  'six',
  'sept',
  'huit',
  'neuf',
  'dix',
  'onze',
  'douze',
  'treize',
  'quatorze',
  'quinze',
  'seize',
  'dix-sept',
  'dix-huit',
  'dix-neuf',
];
const TENS = ['', '', 'vingt', 'trente', 'quarante', 'cinquante', 'soixante', 'soixante', 'quatre-vingt', 'quatre-vingt'];

/** 0 to 99 as they are said in France. */
export const NUMBER_NAMES: readonly string[] = Array.from({ length: 100 }, (_, n) => {
  if (n < 20) return FIRST[n] ?? '';
  const tens = TENS[Math.floor(n / 10)] ?? '';
  const rest = n >= 60 ? n % 20 : n % 10;
  if (rest === 0) return n === 80 ? 'quatre-vingts' : tens;
  const join = (rest === 1 || rest === 11) && n < 80 ? ' et ' : '-';
  return `${tens}${join}${FIRST[rest] ?? ''}`;
});

export function smallNumbers(): [string, number][] {
  const below = NUMBER_NAMES.map((name, n) => [foldAll(name).join(' '), n] as [string, number]);
  below.push(['une', 1], ['vingt et une', 21], ['quatre vingt', 80], ['vingt un', 21]);
  // Belgium and Switzerland.
  for (const [name, base] of [
    ['septante', 70],
    ['huitante', 80],
    ['octante', 80],
    ['nonante', 90],
  ] as const) {
    below.push([name, base], [`${name} et un`, base + 1]);
    for (let unit = 1; unit < 10; unit++) below.push([`${name} ${FIRST[unit] ?? ''}`, base + unit]);
  }
  const all = [...below];
  for (let hundreds = 1; hundreds <= 9; hundreds++) {
    const heads = hundreds === 1 ? ['cent'] : [`${FIRST[hundreds] ?? ''} cent`, `${FIRST[hundreds] ?? ''} cents`];
    for (const head of heads) {
      all.push([head, hundreds * 100]);
      for (const [name, n] of below) if (n > 0) all.push([`${head} ${name}`, hundreds * 100 + n]);
    }
  }
  return all;
}

export const WORDS: LanguagePack['words'] = {
  yes: [
    'oui',
    'ouais',
    'si',
    'okay',
    'ok',
    'daccord',
    'accord',
    'exactement',
    'exact',
    'correct',
    'juste',
    'parfait',
    'volontiers',
    'absolument',
    'certainement',
    'entendu',
    'voilà',
  ],
  no: ['non', 'faux', 'jamais', 'rien', 'incorrect', 'aucun'],
  right: ['juste', 'correct', 'bon', 'bien', 'exact', 'vrai', 'parfait', 'ça'],
  wrong: ['faux', 'incorrect', 'mauvais', 'fausse', 'erreur'],
  links: ['est', 'était', 'c', 'sont'],
  not: ['pas'],
  question: [
    'que',
    'quoi',
    'quel',
    'quelle',
    'quels',
    'quelles',
    'où',
    'quand',
    'comment',
    'qui',
    'pourquoi',
    'combien',
    'est',
    'avez',
    'peut',
    'puis',
    'pouvez',
    'faites',
    'y',
  ],
  stop: [
    'le',
    'la',
    'les',
    'l',
    'un',
    'une',
    'des',
    'de',
    'd',
    'du',
    'à',
    'au',
    'aux',
    'est',
    'sont',
    'je',
    'j',
    'tu',
    'il',
    'elle',
    'nous',
    'vous',
    'ils',
    'me',
    'm',
    'mon',
    'ma',
    'mes',
    'votre',
    'vos',
    'ce',
    'c',
    'ça',
    'cela',
    'que',
    'qu',
    'qui',
    'et',
    'ou',
    'si',
    'en',
    'y',
    'pour',
    'sur',
    'dans',
    's',
    'plaît',
    'bonjour',
    'oui',
    'non',
    'merci',
    'avez',
    'ai',
    'voudrais',
    'veux',
    'savoir',
    'question',
    'ne',
    'n',
    'pas',
    't',
  ],
};

export const INTENTS: LanguagePack['intents'] = {
  machine: [
    '(êtes vous|tu es|vous êtes|es tu) * humain|humaine|machine|robot|ordinateur|personne|automate|ia|vrai|vraie',
    '(c est|est ce|je parle) * machine|robot|ordinateur|automate|ia|enregistrement|humain',
  ],
  person: [
    'parler * personne|humain|conseiller|conseillère|quelqu|collègue|agent|opérateur|opératrice|responsable',
    'veux|voudrais|besoin * personne|humain|conseiller|conseillère|agent|opérateur|responsable',
    'passez|passer moi',
    'mettez moi en relation',
    'transférez|transférer|connectez moi',
    '(me|m) passer|transférer',
    'vraie|vrai personne|humain',
    '^ personne|humain|conseiller|opérateur|agent|standard (s il vous plaît)? $',
  ],
  repeat: [
    'répéter|répétez',
    'redire|redites',
    '(vous pouvez|pouvez vous) répéter',
    'vous avez dit',
    '^ pardon|comment $',
    'pas|mal compris|entendu',
    'encore une fois',
  ],
  hold: ['attendez|attends|patientez', '(un|une|deux) petit|petite? instant|moment|seconde|secondes|minute|minutes', '^ moment|instant'],
  goodbye: ['au revoir', 'bonne journée|soirée $', 'raccrocher', '(c est|ce sera|c était) tout', '^ rien d autre'],
  hello: ['^ bonjour|allô|allo|salut|bonsoir $', '^ (merci|merci beaucoup|je vous remercie) $'],
  'dont-know': ['sais * pas', 'aucune idée', 'pas sûr|sûre|certain|certaine'],
};

export const PROMPTS: LanguagePack['prompts'] = {
  not_understood: "Pardon, je n'ai pas compris.",
  still_there: 'Êtes-vous toujours là ?',
  silence_goodbye: 'Je suis désolé, je ne vous entends pas. Veuillez rappeler. Au revoir.',
  give_up: 'Je suis désolé, je ne vous comprends pas. Je vous passe un collègue.',
  give_up_goodbye:
    "Je suis désolé, je ne vous comprends pas, et personne n'est joignable pour le moment. Veuillez rappeler plus tard. Au revoir.",
  too_long: 'Je suis désolé que cela prenne autant de temps. Je vous passe un collègue.',
  i_am_a_machine: 'Je suis une machine, un assistant automatique, et non une personne.',
  hold_on: 'Bien sûr, prenez votre temps.',
  goodbye: 'Merci de votre appel. Au revoir.',
  transferring: 'Je vous passe un collègue. Un instant, je vous prie.',
  transfer_failed: 'Je suis désolé, personne ne peut prendre votre appel pour le moment.',
  no_person: "Je suis désolé, personne n'est joignable sur cette ligne pour le moment.",
  dont_know: 'Je suis désolé, je ne le sais pas.',
  dont_know_offer: 'Je suis désolé, je ne le sais pas. Voulez-vous parler à un collègue ?',
  all_right: "D'accord.",
  out_of_range: "Je suis désolé, ce n'est pas possible.",
  which_part: 'Je suis désolé. Que dois-je changer ?',
  one_moment: 'Un instant, je vérifie.',
  interrupted: 'Pardon, nous avons été interrompus un instant.',
  tool_failed: 'Je suis désolé, ce n’est pas possible pour le moment.',
  asking_approval: 'Je dois demander à un collègue. Un instant, je vous prie.',
  not_approved: 'Je suis désolé, je n’ai pas le droit de faire cela.',
  shall_i: 'Dois-je le faire maintenant ?',
};
