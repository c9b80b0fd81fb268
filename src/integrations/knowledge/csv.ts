/** Tables (RFC 4180): the first row names the columns, every other row is one passage, 'column: value' for each cell that is filled. */
import type { Reading } from './pieces.ts';
import { UnreadableDocument } from './problem.ts';

const MAX_COLUMNS = 200;

export function readCsv(text: string): Reading {
  const [head, ...rows] = records(text.replace(/^\ufeff/, ''));
  if (head === undefined) return { sections: [], date: null, language: null, maxAgeDays: null };
  if (head.length > MAX_COLUMNS) throw new UnreadableDocument(`has ${head.length} columns, expected at most ${MAX_COLUMNS}`);
  const sections = rows
    .filter((row) => row.some((cell) => cell.trim() !== ''))
    .map((row) => {
      const cells = row.flatMap((cell, at) => (cell.trim() === '' ? [] : [`${head[at]?.trim() ?? `column ${at + 1}`}: ${cell.trim()}`]));
      return { heading: row[0]?.trim() ?? '', paragraphs: [`${cells.join('; ')}.`] };
    });
  return { sections, date: null, language: null, maxAgeDays: null };
}

/** Comma, semicolon or tab: whichever the first line has most of, outside quotes. */
function separatorOf(text: string): string {
  const line = /^[^\r\n]*/.exec(text)?.[0].replace(/"[^"]*"/g, '') ?? '';
  const count = (sign: string): number => line.split(sign).length;
  return [',', ';', '\t'].reduce((best, sign) => (count(sign) > count(best) ? sign : best));
}

function records(text: string): string[][] {
  const separator = separatorOf(text);
  const found: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let isQuoted = false;
  const endCell = (): void => {
    row.push(cell);
    cell = '';
  };
  const endRow = (): void => {
    endCell();
    if (row.length > 1 || row[0] !== '') found.push(row);
    row = [];
  };
  for (let at = 0; at < text.length; at++) {
    const sign = text[at] ?? '';
    if (isQuoted) {
      if (sign !== '"') cell += sign;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else isQuoted = false;
    } else if (sign === '"' && cell === '') isQuoted = true;
    else if (sign === separator) endCell();
    else if (sign === '\n') endRow();
    else if (sign !== '\r' || text[at + 1] !== '\n') cell += sign;
  }
  if (isQuoted) throw new UnreadableDocument('has a quote that is never closed');
  endRow();
  return found;
}
