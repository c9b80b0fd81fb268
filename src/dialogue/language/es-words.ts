/** Spanish: words, phrases and the runner's own prompts. */
import { fold } from './fold.ts';
import type { LanguagePack } from './pack.ts';

export const WEEKDAYS = ['lunes', 'martes', 'miércoles', 'jueves', 'viernes', 'sábado', 'domingo'];
export const MONTHS = [
  'enero',
  'febrero',
  'marzo',
  'abril',
  'mayo',
  'junio',
  'julio',
  'agosto',
  'septiembre',
  'octubre',
  'noviembre',
  'diciembre',
];

const FIRST = [
  'cero',
  'uno',
  'dos',
  'tres',
  'cuatro',
  'cinco',
  'seis',
  'siete',
  'ocho',
  'nueve',
  'diez',
  'once',
  'doce',
  'trece',
  'catorce',
  'quince',
];
const UNITS = ['', 'uno', 'dos', 'tres', 'cuatro', 'cinco', 'seis', 'siete', 'ocho', 'nueve'];
const MARKED = new Map([
  [16, 'dieciséis'],
  [22, 'veintidós'],
  [23, 'veintitrés'],
  [26, 'veintiséis'],
]);
const TENS = ['', 'diez', 'veinte', 'treinta', 'cuarenta', 'cincuenta', 'sesenta', 'setenta', 'ochenta', 'noventa'];
const HUNDREDS = ['', 'cient', 'doscient', 'trescient', 'cuatrocient', 'quinient', 'seiscient', 'setecient', 'ochocient', 'novecient'];

/** 0 to 99 as they are said. */
export const NUMBER_NAMES: readonly string[] = Array.from({ length: 100 }, (_, n) => {
  if (n <= 15) return FIRST[n] ?? '';
  const marked = MARKED.get(n);
  if (marked !== undefined) return marked;
  if (n < 20) return `dieci${UNITS[n - 10] ?? ''}`;
  if (n > 20 && n < 30) return `veinti${UNITS[n - 20] ?? ''}`;
  const tens = TENS[Math.floor(n / 10)] ?? '';
  return n % 10 === 0 ? tens : `${tens} y ${UNITS[n % 10] ?? ''}`;
});

export function smallNumbers(): [string, number][] {
  const below = NUMBER_NAMES.map((name, n) => [fold(name), n] as [string, number]);
  below.push(['un', 1], ['una', 1], ['veintiun', 21], ['veintiuna', 21]);
  for (let n = 31; n < 100; n += 10) below.push([`${TENS[(n - 1) / 10] ?? ''} y un`, n], [`${TENS[(n - 1) / 10] ?? ''} y una`, n]);
  for (let n = 16; n < 20; n++) below.push([`diez y ${UNITS[n - 10] ?? ''}`, n]);
  for (let n = 21; n < 30; n++) below.push([`veinte y ${UNITS[n - 20] ?? ''}`, n]);
  const all = [...below, ['cien', 100] as [string, number]];
  for (let hundreds = 1; hundreds <= 9; hundreds++) {
    for (const ending of ['os', 'as', 'o']) {
      const head = `${HUNDREDS[hundreds] ?? ''}${ending}`;
      if ((hundreds === 1) !== (ending === 'o')) continue;
      all.push([head, hundreds * 100]);
      for (const [name, n] of below) if (n > 0) all.push([`${head} ${name}`, hundreds * 100 + n]);
    }
  }
  return all;
}

export const WORDS: LanguagePack['words'] = {
  yes: [
    'sí',
    'si',
    'vale',
    'okay',
    'ok',
    'claro',
    'correcto',
    'exacto',
    'exactamente',
    'perfecto',
    'bueno',
    'acuerdo',
    'seguro',
    'efectivamente',
  ],
  no: ['no', 'falso', 'nunca', 'nada', 'incorrecto', 'mal', 'tampoco'],
  right: ['correcto', 'bien', 'exacto', 'cierto', 'perfecto', 'verdad', 'bueno'],
  wrong: ['incorrecto', 'falso', 'mal', 'equivocado', 'error'],
  links: ['es', 'era', 'está', 'son', 'eso'],
  not: ['no'],
  question: [
    'qué',
    'que',
    'cuál',
    'cuáles',
    'dónde',
    'donde',
    'cuándo',
    'cuando',
    'cómo',
    'como',
    'quién',
    'cuánto',
    'cuánta',
    'cuántos',
    'por',
    'hay',
    'tienen',
    'tiene',
    'puedo',
    'puede',
    'pueden',
    'es',
    'están',
    'abren',
    'aceptan',
  ],
  stop: [
    'el',
    'la',
    'los',
    'las',
    'un',
    'una',
    'unos',
    'de',
    'del',
    'a',
    'al',
    'es',
    'son',
    'está',
    'yo',
    'tú',
    'usted',
    'ustedes',
    'nosotros',
    'me',
    'mi',
    'mis',
    'su',
    'sus',
    'se',
    'que',
    'qué',
    'y',
    'o',
    'si',
    'en',
    'por',
    'para',
    'con',
    'favor',
    'hola',
    'sí',
    'no',
    'gracias',
    'tengo',
    'tienen',
    'quiero',
    'quisiera',
    'querría',
    'saber',
    'pregunta',
    'sobre',
    'lo',
    'le',
    'ha',
  ],
};

export const INTENTS: LanguagePack['intents'] = {
  machine: [
    '(es usted|eres|es) * humano|humana|máquina|robot|ordenador|computadora|bot|ia|real|contestador|grabación',
    '(hablo con|estoy hablando con|esto es) * máquina|robot|ordenador|bot|ia|persona|grabación|humano',
  ],
  person: [
    'hablar * persona|humano|agente|operador|operadora|alguien|asesor|representante|compañero|encargado|responsable',
    'quiero|necesito|deme|quisiera * persona|humano|agente|operador|operadora|asesor|representante|responsable',
    'páseme|pásame|comuníqueme|conécteme|transfiérame',
    '(me|le) pasa|pase|comunica|transfiere|pone con',
    'persona real|humana',
    '^ persona|humano|agente|operador|operadora|asesor (por favor)? $',
  ],
  repeat: [
    'repetir|repita|repite|repetirlo',
    'otra vez (por favor)? $',
    '(qué|que) dijo|ha dicho|dijiste',
    '^ perdón|cómo|mande $',
    'no entendí|entiendo|oí|oigo|entendido|oído',
    'de nuevo',
  ],
  hold: ['espere|espera|aguarde', '(un|una) momento|momentito|segundo|minuto|instante', '^ momento|momentito'],
  goodbye: ['adiós|adios|chao|chau', 'hasta luego|pronto|mañana', 'colgar', '(eso|esto) es|era|sería todo', '^ nada más'],
  hello: ['^ hola|buenas|aló|oiga|diga $', '^ (buenos días|buenas tardes|buenas noches) $', '^ (gracias|muchas gracias) $'],
  'dont-know': ['no * sé|se', 'ni idea', 'no estoy seguro|segura'],
};

export const PROMPTS: LanguagePack['prompts'] = {
  not_understood: 'Perdone, no lo he entendido.',
  still_there: '¿Sigue ahí?',
  silence_goodbye: 'Lo siento, no le oigo. Vuelva a llamar, por favor. Adiós.',
  give_up: 'Lo siento, no le entiendo. Le paso con un compañero.',
  give_up_goodbye: 'Lo siento, no le entiendo, y ahora mismo no hay nadie disponible. Vuelva a llamar más tarde, por favor. Adiós.',
  too_long: 'Siento que esto tarde tanto. Le paso con un compañero.',
  i_am_a_machine: 'Soy una máquina, un asistente automático, y no una persona.',
  hold_on: 'Por supuesto, tómese su tiempo.',
  goodbye: 'Gracias por su llamada. Adiós.',
  transferring: 'Le paso con un compañero. Un momento, por favor.',
  transfer_failed: 'Lo siento, nadie puede atender su llamada en este momento.',
  no_person: 'Lo siento, en esta línea no hay nadie disponible en este momento.',
  dont_know: 'Lo siento, eso no lo sé.',
  dont_know_offer: 'Lo siento, eso no lo sé. ¿Quiere hablar con un compañero?',
  all_right: 'De acuerdo.',
  out_of_range: 'Lo siento, eso no es posible.',
  which_part: 'Lo siento. ¿Qué debo cambiar?',
  one_moment: 'Un momento, lo consulto.',
  interrupted: 'Perdone, nos hemos interrumpido un momento.',
  tool_failed: 'Lo siento, ahora mismo no es posible.',
  asking_approval: 'Tengo que preguntarlo a un compañero. Un momento, por favor.',
  not_approved: 'Lo siento, no puedo hacer eso.',
  shall_i: '¿Lo hago ahora?',
};
