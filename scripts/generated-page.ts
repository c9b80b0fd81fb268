/** A page of docs/ that is made from code: written, or compared with what is there. */
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { format, resolveConfig } from 'prettier';

/** A text as a cell of a Markdown table. */
export function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

export async function writeOrCheck(file: string, markdown: string): Promise<void> {
  // Formatted as the format check wants it.
  const text = await format(markdown, { ...(await resolveConfig(file)), parser: 'markdown' });
  if (!process.argv.includes('--check')) {
    await writeFile(file, text);
    console.log(`wrote docs/${basename(file)}`);
    return;
  }
  const there = await readFile(file, 'utf8').catch(() => '');
  if (there === text) return;
  console.error(`docs/${basename(file)} is stale: run npm run docs`);
  process.exitCode = 1;
}
