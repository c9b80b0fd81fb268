import type { TurnWords } from './types.ts';

const list = (text: string): readonly string[] => text.split(', ');

export const DE: TurnWords = {
  answers: list('ja, nein, okay, ok, genau, richtig, stimmt, doch, jawohl, nee, klar, gerne, natürlich'),
  digits: list('null, eins, ein, zwei, zwo, drei, vier, fünf, sechs, sieben, acht, neun'),
  doubles: list('doppel'),
  values: list(
    'montag, dienstag, mittwoch, donnerstag, freitag, samstag, sonnabend, sonntag, heute, morgen, übermorgen, eins, zwei, drei, vier, fünf, sechs, sieben, acht, neun, zehn, elf, zwölf, dreizehn, vierzehn, fünfzehn, zwanzig, dreißig, vierzig, fünfzig, uhr, mittag, mitternacht, früh, vormittag, nachmittag, abend, januar, februar, märz, april, mai, juni, juli, august, september, oktober, november, dezember, personen, leute',
  ),
  openers: list(
    'und, oder, aber, weil, dass, wenn, ob, mit, ohne, zu, zum, zur, für, von, vom, bei, beim, auf, in, im, an, am, um, nach, bis, der, die, das, den, dem, des, ein, eine, einen, einem, einer, mein, meine, meinen, meiner, ich, wir, ist, sind, war, wird, würde, möchte, hätte, kann, könnte, soll, auch, noch, nicht, sehr, also',
  ),
  openPhrases: list(
    'meine nummer ist, mein name ist, die nummer ist, ich heiße, ich möchte, ich hätte gerne, ich brauche, ich würde gerne, können sie, könnten sie, haben sie, es geht um',
  ),
  fillers: list('äh, ähm, hm, hmm, öhm, na ja, tja, also, mal sehen, moment mal, wie sagt man'),
  holds: list(
    'warten sie, warten sie bitte, warten sie mal, moment, moment bitte, einen moment, einen moment bitte, einen augenblick, eine sekunde, sekunde, augenblick, kleinen moment',
  ),
  closers: list('bitte, danke, vielen dank, dankeschön, tschüss, auf wiederhören, oder, nicht wahr, das wars, das ist alles, geht das'),
  names: list('mein name ist, der name ist, ich heiße'),
  announcements: list(
    'eine frage, ein problem, rufe an wegen, rufe an weil, einen tisch, einen termin, etwas bestellen, habe mit, sprach mit',
  ),
  questions: list(
    'können sie, könnten sie, kannst du, kann ich, können wir, könnte ich, darf ich, würden sie, haben sie, gibt es, ist das, ist es, ist da, sind sie, sind das, wird das, was ist, was kostet, was sind, wann ist, wann haben, wann kann, wann kommt, wo ist, wo sind, wo kann, wer ist, wie viel, wie viele, wie lange, wie spät, wie kann, warum ist, warum haben, soll ich',
  ),
  backchannels: list('ja, ja ja, genau, mhm, hm, aha, ach so, okay, ok, gut, richtig, stimmt, alles klar, verstehe'),
  stops: list('stopp, stop, halt, nein, moment, warten sie, entschuldigung, hallo, aber'),
};
