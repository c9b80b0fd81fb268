/** What a language's words say about whose turn it is. Lower case, no punctuation; a phrase is words with single spaces. */
export interface TurnWords {
  /** One of these alone answers a yes/no question. */
  readonly answers: readonly string[];
  /** Words for one digit. */
  readonly digits: readonly string[];
  /** Words that multiply the digit behind them: "double four". */
  readonly doubles: readonly string[];
  /** Words that complete a number, a day or a time when one was asked for. */
  readonly values: readonly string[];
  /** Nobody ends with these: conjunctions, prepositions, articles, possessives. */
  readonly openers: readonly string[];
  /** Phrases after which the thing itself must come: "my number is". */
  readonly openPhrases: readonly string[];
  /** Sounds of thinking. */
  readonly fillers: readonly string[];
  /** The caller asks us to wait. */
  readonly holds: readonly string[];
  /** Phrases that end a turn: thanks, question tags. */
  readonly closers: readonly string[];
  /** A name comes after these; its second word completes it. */
  readonly names: readonly string[];
  /** What it is about, before the thing itself: "i have a question about". Little behind them, and the caller most likely goes on. */
  readonly announcements: readonly string[];
  /** How questions and requests begin: whoever has asked gives the floor away. */
  readonly questions: readonly string[];
  /** What a listener says without wanting the floor. */
  readonly backchannels: readonly string[];
  /** These take the floor even alone. */
  readonly stops: readonly string[];
}
