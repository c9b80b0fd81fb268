/** Markdown as far as a voice needs it: headings, paragraphs, lists and tables; code, comments and addresses are not said. */
import { isoDay, type Reading, type Section } from './pieces.ts';

const FENCE = /^\s{0,3}(`{3,}|~{3,})/;

export function readMarkdown(text: string): Reading {
  const { head, body } = frontMatter(text);
  const days = Number(head['maxAgeDays']);
  return {
    sections: sections(body),
    date: isoDay(head['date'] ?? head['updated']),
    language: /^[a-z]{2}$/.test(head['language'] ?? '') ? (head['language'] ?? null) : null,
    maxAgeDays: Number.isInteger(days) && days > 0 ? days : null,
  };
}

/** 'key: value' lines between two lines of '---' at the very beginning. */
function frontMatter(text: string): { head: Readonly<Record<string, string>>; body: string } {
  const match = /^---[ \t]*\r?\n([^]{0,4000}?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(text);
  if (match === null) return { head: {}, body: text };
  const lines = (match[1] ?? '').split(/\r?\n/).map((line) => /^([A-Za-z]+):\s*["']?(.*?)["']?\s*$/.exec(line));
  return {
    head: Object.fromEntries(lines.flatMap((line) => (line === null ? [] : [[line[1] ?? '', line[2] ?? ''] as const]))),
    body: text.slice(match[0].length),
  };
}

function sections(text: string): Section[] {
  const found: { heading: string; paragraphs: string[] }[] = [];
  const path: string[] = [];
  let open: { heading: string; paragraphs: string[] } = { heading: '', paragraphs: [] };
  let paragraph: string[] = [];
  let fence: string | null = null;
  const close = (): void => {
    if (paragraph.length > 0) open.paragraphs.push(paragraph.join(' '));
    paragraph = [];
  };
  const begin = (level: number, heading: string): void => {
    close();
    if (open.paragraphs.length > 0) found.push(open);
    path.length = Math.min(path.length, level - 1);
    while (path.length < level - 1) path.push('');
    path.push(heading);
    open = { heading: path.filter((part) => part !== '').join(' / '), paragraphs: [] };
  };
  for (const raw of text.replace(/<!--[^]*?-->/g, '').split(/\r?\n/)) {
    const mark = FENCE.exec(raw)?.[1] ?? null;
    if (fence !== null) {
      if (mark !== null && mark.startsWith(fence)) fence = null;
      continue;
    }
    const heading = /^\s{0,3}(#{1,6})\s+(.*?)\s*#*$/.exec(raw);
    const line = raw.trim();
    if (mark !== null) {
      close();
      fence = mark;
    } else if (heading !== null) begin((heading[1] ?? '').length, plain(heading[2] ?? ''));
    else if (/^(=+|-{2,})$/.test(line) && paragraph.length > 0) {
      const title = paragraph.join(' ');
      paragraph = [];
      begin(line.startsWith('=') ? 1 : 2, title);
    } else if (line === '' || /^([-*_]\s*){3,}$/.test(line) || /^\|?[\s:|-]+\|[\s:|-]*$/.test(line)) close();
    else if (/^([-*+]|\d{1,9}[.)])\s/.test(line)) {
      close();
      paragraph.push(ended(plain(line.replace(/^([-*+]|\d{1,9}[.)])\s+(\[[ xX]\]\s+)?/, ''))));
    } else if (line.startsWith('|')) {
      close();
      paragraph.push(ended(plain(line.replace(/^\||\|$/g, '').replaceAll('|', ', '))));
    } else paragraph.push(plain(line.replace(/^(>\s?)+/, '')));
  }
  close();
  if (open.paragraphs.length > 0) found.push(open);
  return found;
}

/** A point of a list is said as a sentence. */
const ended = (text: string): string => (text === '' || /[.!?:;]$/.test(text) ? text : `${text}.`);

function plain(text: string): string {
  return text
    .replace(/!\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\[([^\]]*)\]\[[^\]]*\]/g, '$1')
    .replace(/<https?:[^>]*>/g, '')
    .replace(/<\/?[A-Za-z][^>]*>/g, ' ')
    .replace(/(\*\*|__|~~|`+)/g, '')
    .replace(/(^|\s)[*_](\S[^*_]*)[*_](?=\W|$)/g, '$1$2')
    .replace(/\\([!-/:-@[-`{-~])/g, '$1')
    .trim();
}
