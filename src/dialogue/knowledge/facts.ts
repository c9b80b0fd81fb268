/**
 * A small file of facts, in Markdown:
 *
 *   ## Opening hours
 *   > what are your opening hours
 *   > are you open on sunday
 *   We are open from Tuesday to Sunday, from five to eleven in the evening.
 *
 * A heading begins a fact, quoted lines are ways to ask for it, the rest is what is said. Searched by word overlap.
 */
import { type Problem, ProblemsError } from '../../contracts/index.ts';
import type { LanguagePack } from '../language/index.ts';

export interface Fact {
  /** Stable key for the log: `fact_` and the heading in small letters. */
  readonly key: string;
  readonly answer: string;
  /** Ways to ask: the heading and the quoted lines. */
  readonly questions: readonly string[];
}

export interface Knowledge {
  readonly facts: readonly Fact[];
}

export const NO_KNOWLEDGE: Knowledge = { facts: [] };

const MAX_ANSWER = 500;

interface Open {
  readonly heading: string;
  readonly line: number;
  readonly questions: string[];
  readonly answer: string[];
}

/** Errors: ProblemsError (FLOW_INVALID) with every problem and its line. */
export function parseFacts(text: string, file: string): Knowledge {
  const sections: Open[] = [];
  const problems: Problem[] = [];
  const report = (line: number, message: string): void => {
    problems.push({ code: 'FLOW_INVALID', place: { file, line }, message });
  };
  text.split(/\r?\n/).forEach((raw, i) => {
    const line = raw.trim();
    const heading = /^##\s+(.+)$/.exec(line)?.[1];
    const section = sections.at(-1);
    if (heading !== undefined) sections.push({ heading, line: i + 1, questions: [], answer: [] });
    else if (line === '' || /^#\s/.test(line)) return;
    else if (section === undefined) report(i + 1, 'stands before the first fact, expected a heading "## ..."');
    else if (line.startsWith('>')) section.questions.push(line.slice(1).trim());
    else section.answer.push(line);
  });
  const keys = new Set<string>();
  const facts = sections.map(({ heading, line, questions, answer }) => {
    const key = `fact_${heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '_')
      .replace(/^_|_$/g, '')}`;
    const spoken = answer.join(' ');
    if (keys.has(key)) report(line, `"${heading}" is there twice, expected one heading for each fact`);
    if (spoken === '') report(line, `"${heading}" has no answer, expected a text below the heading`);
    if (spoken.length > MAX_ANSWER)
      report(line, `"${heading}" has ${spoken.length} characters, expected at most ${MAX_ANSWER}: a caller has to listen to it`);
    keys.add(key);
    return { key, answer: spoken, questions: [heading, ...questions.filter((question) => question !== '')] };
  });
  const [first, ...rest] = problems;
  if (first !== undefined) throw new ProblemsError([first, ...rest]);
  return { facts };
}

/** Finds the fact that was asked for. */
export interface FactSearch {
  /** The best fact and how well it fits, 0 to 1; null when nothing fits at all. */
  find(tokens: readonly string[]): { readonly fact: Fact; readonly score: number } | null;
}

/** A fact is an answer from here on. */
export const FACT_THRESHOLD = 0.6;

/** Less of what was asked than this is chance: "where is my order" is not asked by "where are you". */
const MIN_KNOWN = 0.35;

/** Rare words count more, question words half. The score is half how much of what was said is in a known question, half the reverse. */
export function createFactSearch(knowledge: Knowledge, pack: LanguagePack): FactSearch {
  const stop = new Set(pack.words.stop);
  const weak = new Set(pack.words.question.map((word) => pack.stem(word)));
  const stems = (tokens: readonly string[]): Set<string> =>
    new Set(tokens.filter((word) => !stop.has(word)).map((word) => pack.stem(word)));
  const entries = knowledge.facts.map((fact) => ({ fact, questions: fact.questions.map((question) => stems(pack.tokens(question))) }));
  const inFacts = new Map<string, number>();
  for (const { questions } of entries) {
    for (const stem of new Set(questions.flatMap((question) => [...question]))) inFacts.set(stem, (inFacts.get(stem) ?? 0) + 1);
  }
  const weight = (stem: string): number => (1 + Math.log((1 + entries.length) / (1 + (inFacts.get(stem) ?? 0)))) / (weak.has(stem) ? 2 : 1);
  const sum = (words: Iterable<string>): number => [...words].reduce((total, word) => total + weight(word), 0);
  return {
    find(tokens) {
      const asked = stems(tokens);
      if (asked.size === 0) return null;
      let best: { fact: Fact; score: number } | null = null;
      for (const { fact, questions } of entries) {
        for (const question of questions) {
          const common = sum([...asked].filter((word) => question.has(word)));
          if (common < MIN_KNOWN * sum(asked)) continue;
          const score = (common / sum(asked) + common / sum(question)) / 2;
          if (best === null || score > best.score) best = { fact, score };
        }
      }
      return best;
    },
  };
}
