/** From what a reader found in a document to passages that can be said: whole sentences, a few hundred characters, under their heading. */
import { createHash } from 'node:crypto';
import type { KnowledgePassage } from '../../contracts/index.ts';

/** A part of a document under one heading. Paragraphs are never joined with those of another section. */
export interface Section {
  readonly heading: string;
  readonly paragraphs: readonly string[];
}

/** What a reader makes of a file. */
export interface Reading {
  readonly sections: readonly Section[];
  /** 'YYYY-MM-DD' when the document says its date itself. */
  readonly date: string | null;
  readonly language: string | null;
  readonly maxAgeDays: number | null;
}

/** A caller has to listen to it. */
const MAX_CHARS = 480;
/** Shorter paragraphs are joined with the next one of their section. */
const MIN_CHARS = 160;
const MAX_HEADING = 200;
const MAX_PASSAGES = 20_000;

export function passagesOf(collection: string, path: string, sections: readonly Section[]): readonly KnowledgePassage[] {
  const made = new Map<string, KnowledgePassage>();
  for (const { heading, paragraphs } of sections) {
    for (const text of chunks(paragraphs)) {
      const shortHeading = oneLine(heading).slice(0, MAX_HEADING);
      const id = hash([collection, path, shortHeading, text].join('\u0000')).slice(0, 16);
      made.set(id, { id, heading: shortHeading, text, sha256: hash(text) });
      if (made.size >= MAX_PASSAGES) return [...made.values()];
    }
  }
  return [...made.values()];
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Without what no voice says and Postgres cannot store. */
export const oneLine = (text: string): string =>
  text
    .normalize('NFC')
    .replace(/\p{Cs}/gu, '\ufffd')
    .replace(/[\p{Cc}\p{Cf}\p{Z}\s]+/gu, ' ')
    .trim();

function chunks(paragraphs: readonly string[]): string[] {
  const found: string[] = [];
  let open = '';
  const close = (): void => {
    if (open !== '') found.push(open);
    open = '';
  };
  for (const paragraph of paragraphs.map(oneLine)) {
    for (const sentence of sentences(paragraph)) {
      if (open.length + 1 + sentence.length > MAX_CHARS) close();
      open = open === '' ? sentence : `${open} ${sentence}`;
    }
    if (open.length >= MIN_CHARS) close();
  }
  close();
  return found;
}

/** Sentences; what is longer than a passage may be is cut between words. */
function sentences(paragraph: string): string[] {
  const found: string[] = [];
  for (const sentence of paragraph.split(/(?<=[.!?…])\s+(?=[\p{Lu}\p{N}"'„“¿¡(])/u)) {
    let rest = sentence.trim();
    while (rest.length > MAX_CHARS) {
      const space = rest.lastIndexOf(' ', MAX_CHARS);
      const end = space > MAX_CHARS / 2 ? space : MAX_CHARS;
      found.push(rest.slice(0, end).trim());
      rest = rest.slice(end).trim();
    }
    if (rest !== '') found.push(rest);
  }
  return found;
}

/** A date and an age that a document gives itself. */
export function isoDay(text: string | undefined): string | null {
  const day = /^\s*(\d{4}-\d{2}-\d{2})/.exec(text ?? '')?.[1];
  return day === undefined || Number.isNaN(Date.parse(day)) ? null : day;
}
