import type { TurnWords } from './types.ts';

const list = (text: string): readonly string[] => text.split(', ');

export const FR: TurnWords = {
  answers: list('oui, non, ouais, si, exactement, voilà, bien sûr, correct, okay, ok, absolument'),
  digits: list('zéro, un, deux, trois, quatre, cinq, six, sept, huit, neuf'),
  doubles: list('double'),
  values: list(
    'lundi, mardi, mercredi, jeudi, vendredi, samedi, dimanche, demain, midi, minuit, un, deux, trois, quatre, cinq, six, sept, huit, neuf, dix, onze, douze, treize, quatorze, quinze, seize, vingt, trente, quarante, cinquante, heure, heures, matin, soir, janvier, février, mars, avril, mai, juin, juillet, août, septembre, octobre, novembre, décembre, personnes',
  ),
  openers: list(
    'et, ou, mais, donc, car, parce, que, qui, si, quand, avec, sans, à, au, aux, de, du, des, pour, par, dans, en, sur, chez, vers, le, la, les, un, une, mon, ma, mes, votre, notre, ce, cette, je, nous, est, sont, serait, voudrais, peux, pas, très, aussi',
  ),
  openPhrases: list(
    'mon numéro est, mon nom est, je suis, je voudrais, je souhaite, je cherche, il me faut, est ce que, pouvez vous, pourriez vous, le numéro est',
  ),
  fillers: list('euh, heu, ben, bah, hum, alors, voyons, comment dire, eh bien'),
  holds: list('attendez, un instant, un moment, une seconde, une minute, attendez un instant, ne quittez pas, deux secondes'),
  closers: list('merci, merci beaucoup, s il vous plaît, sil vous plaît, au revoir, n est ce pas, c est tout, voilà, c est possible'),
  names: list('mon nom est, je mappelle, le nom est'),
  announcements: list(
    'jai une question, jai un problème, jappelle pour, jappelle parce que, réserver une, réserver un, prendre un rendez, prendre rendez, commander, jai parlé à, jai parlé avec',
  ),
  questions: list(
    'pouvez vous, pourriez vous, est ce que, puis je, peut on, avez vous, êtes vous, y a t il, est il, est ce, cest possible, quel est, quelle est, quels sont, quelles sont, quand est, où est, où sont, qui est, combien de, combien ça, comment faire, comment puis, pourquoi est, dois je',
  ),
  backchannels: list('oui, ouais, mm, mhm, hum, d accord, ok, okay, ah, ah bon, je vois, très bien, bien, voilà, oui oui'),
  stops: list('stop, arrêtez, non, attendez, pardon, excusez moi, allô, mais'),
};
