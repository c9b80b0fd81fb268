/** Words that callers wrap a question in. They say nothing about what is asked, and no document has them. */
const FILLERS: Readonly<Record<string, readonly string[]>> = {
  en: (
    'please tell know want like would could can may might need ask asking question say said get give help find out let lets see look hello hi hey okay ok well ' +
    'um uh er yeah yes no thanks thank you actually maybe just really quite something anything thing wondering wonder think guess mean sure going gonna kindly info information possible calling call'
  ).split(' '),
  de: (
    'wann wo wie wer was warum wieso wieviel wohin woher welche welcher welches bitte sagen sag wissen weiß möchte mochte will würde könnte können kann darf muss frage fragen hallo guten tag ja nein danke äh ähm also mal denn eigentlich vielleicht ' +
    'gerne gern irgendwie etwas was gibt geht machen mache brauche brauchen hätte auskunft information informationen finden rufe anrufen'
  ).split(' '),
  fr: (
    'quand où comment combien pourquoi qui quoi quel quelle quels quelles est-ce bonjour salut merci oui non euh alors voudrais veux peux pouvez pouvoir savoir dire dites demander question besoin aimerais ' +
    'plaît sil svp bien peut être quelque chose renseignement renseignements information informations trouver appelle'
  ).split(' '),
  es: (
    'cuándo cuando dónde donde cómo como cuánto cuanto cuánta qué que cuál cual quién quien por hola buenas buenos días gracias sí no eh pues quiero quisiera querría puedo puede pueden saber decir decirme dígame dime preguntar pregunta necesito ' +
    'gustaría favor algo quizás bueno información encontrar llamo'
  ).split(' '),
};

export function withoutFillers(text: string, language: string): string {
  const fillers = new Set(Object.hasOwn(FILLERS, language) ? FILLERS[language] : []);
  return text
    .slice(0, 500)
    .replace(/[\p{Cc}\p{Cs}]+/gu, ' ')
    .split(/[\s,.;:!?'’"]+/)
    .filter((word) => word !== '' && !fillers.has(word.toLowerCase()))
    .join(' ');
}
