import type { TurnWords } from './types.ts';

const list = (text: string): readonly string[] => text.split(', ');

export const ES: TurnWords = {
  answers: list('sí, si, no, claro, vale, correcto, exacto, exactamente, por supuesto, ok, okay'),
  digits: list('cero, uno, dos, tres, cuatro, cinco, seis, siete, ocho, nueve'),
  doubles: list('doble'),
  values: list(
    'lunes, martes, miércoles, jueves, viernes, sábado, domingo, hoy, mañana, uno, una, dos, tres, cuatro, cinco, seis, siete, ocho, nueve, diez, once, doce, quince, veinte, treinta, cuarenta, cincuenta, horas, mediodía, medianoche, tarde, noche, enero, febrero, marzo, abril, mayo, junio, julio, agosto, septiembre, octubre, noviembre, diciembre, personas',
  ),
  openers: list(
    'y, e, o, u, pero, porque, que, si, cuando, con, sin, a, al, de, del, para, por, en, sobre, hasta, desde, el, la, los, las, un, mi, mis, su, este, esta, yo, es, son, sería, quiero, quisiera, puedo, muy, también, no',
  ),
  openPhrases: list(
    'mi número es, mi nombre es, me llamo, quiero, quisiera, necesito, me gustaría, el número es, puede usted, podría, tiene usted',
  ),
  fillers: list('eh, em, este, pues, bueno, a ver, mmm, cómo se dice'),
  holds: list('espere, espera, un momento, un momento por favor, un segundo, un minuto, espere un momento'),
  closers: list('por favor, gracias, muchas gracias, adiós, verdad, no, eso es todo, nada más, es posible'),
  names: list('mi nombre es, me llamo, el nombre es'),
  announcements: list(
    'tengo una pregunta, tengo un problema, llamo por, llamo porque, reservar una, reservar un, pedir una cita, hablé con',
  ),
  questions: list(
    'puede usted, podría usted, puede decirme, podría decirme, puedo, podemos, tiene usted, tienen, hay, es posible, cuál es, cuáles son, qué es, qué hora, cuándo es, cuándo puedo, dónde está, dónde puedo, quién es, cuánto cuesta, cuántos, cuántas, cómo puedo, por qué, debo',
  ),
  backchannels: list('sí, ajá, mm, mhm, ya, vale, claro, ok, okay, bien, entiendo, ah, sí sí, de acuerdo'),
  stops: list('pare, no, espere, espera, perdón, disculpe, oiga, pero'),
};
