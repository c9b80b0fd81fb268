/** "Are you human?" as people ask it, in four languages. */
const ORDERS: Readonly<Record<string, { readonly openings: readonly string[]; readonly questions: readonly string[] }>> = {
  en: {
    openings: ['', 'sorry', 'wait a moment', 'hold on', 'one question'],
    questions: [
      'are you a human',
      'are you a real person',
      'are you a robot',
      'are you a machine',
      'are you an ai',
      'am i talking to a machine',
      'am i speaking with a real person',
      'is this a computer',
      'is this a recording',
      'is that a robot i am talking to',
    ],
  },
  de: {
    openings: ['', 'entschuldigung', 'eine frage', 'sagen sie mal', 'hallo'],
    questions: [
      'sind sie ein mensch',
      'sind sie eine maschine',
      'bist du ein roboter',
      'sind sie ein computer',
      'sind sie echt',
      'spreche ich mit einer maschine',
      'spreche ich mit einem menschen',
      'ist das ein computer',
      'rede ich mit einem roboter',
      'ist das eine aufnahme',
    ],
  },
  fr: {
    openings: ['', 'pardon', 'excusez moi', 'une question', 'dites moi'],
    questions: [
      'êtes-vous un humain',
      'êtes-vous une machine',
      'vous êtes un robot',
      'tu es une vraie personne',
      'êtes-vous un ordinateur',
      'est-ce que je parle à une machine',
      'est-ce que je parle à un humain',
      "c'est un robot",
      'est-ce un enregistrement',
      'vous êtes une vraie personne',
    ],
  },
  es: {
    openings: ['', 'perdone', 'una pregunta', 'oiga', 'disculpe'],
    questions: [
      'es usted humano',
      'eres un robot',
      'es usted una máquina',
      'eres una persona real',
      '¿es usted un ordenador?',
      'estoy hablando con una máquina',
      'hablo con una persona',
      '¿es esto una grabación?',
      'eres una ia',
      '¿esto es un robot?',
    ],
  },
};

export const MACHINE_QUESTIONS: readonly { readonly language: string; readonly text: string }[] = Object.entries(ORDERS).flatMap(
  ([language, { openings, questions }]) =>
    openings.flatMap((opening) => questions.map((question) => ({ language, text: opening === '' ? question : `${opening}, ${question}` }))),
);
