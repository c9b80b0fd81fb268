/**
 * What colleagues correct becomes work for the authors: a flow test and a knowledge edit, as files in a folder of the operator's. Nothing
 * is changed by itself. The files hold words of a call: they are for the owner of the folder alone, and nothing of them is in the log.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One thing that the caller said, and the prompts that came back. */
export interface CorrectedTurn {
  readonly says: string;
  readonly hears: readonly string[];
}

export interface Correction {
  readonly callId: string;
  readonly id: string;
  readonly flow: string;
  readonly tool: string;
  readonly summary: string;
  readonly decision: 'approved' | 'denied';
  /** What the colleague wrote. */
  readonly correction: string;
  readonly turns: readonly CorrectedTurn[];
  /** Names that the flow may transfer to. */
  readonly desks: readonly string[];
  readonly wallUs: number;
}

/** Writes both files and resolves with their names. Errors: those of the file system; a file that is there is never replaced. */
export async function writeSuggestion(folder: string, given: Correction): Promise<readonly string[]> {
  const moment = new Date(given.wallUs / 1000).toISOString().slice(0, 19).replace(/[:-]/g, '');
  const stem = [given.flow, moment, given.callId, given.id].map((part) => part.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 60)).join('-');
  const files: readonly (readonly [string, string])[] = [
    [`${stem}.test.yaml`, flowTest(given, moment)],
    [`${stem}.knowledge.md`, knowledgeEdit(given)],
  ];
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const [name, text] of files) await writeFile(join(folder, name), text, { mode: 0o600, flag: 'wx' });
  return files.map(([name]) => name);
}

/** Texts as JSON, which is YAML: nothing in them can become a key. */
function flowTest({ flow, tool, decision, summary, correction, turns, desks }: Correction, moment: string): string {
  const lines = [
    `# A suggestion for ${flow}.test.yaml, made of a correction. Fill in what the tools answered and what should be heard, move it there, and`,
    '# delete this file: it holds words of a call.',
    `# The act: ${line(summary)}`,
    `# The colleague: ${line(correction)}`,
    `desks: ${JSON.stringify(desks)}`,
    'tests:',
    `  - name: ${JSON.stringify(`corrected ${moment}: ${tool} was ${decision}`)}`,
    `    approves: ${decision === 'approved' ? '"yes"' : '"no"'}`,
    `    turns:${turns.length === 0 ? ' []' : ''}`,
    ...turns.flatMap(({ says, hears }) => [
      `      - says: ${JSON.stringify(line(says))}`,
      ...(hears.length === 0 ? [] : [`        hears: ${JSON.stringify(hears)}`]),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** As the files of facts and the folders of knowledge are written. */
function knowledgeEdit({ tool, summary, correction, turns }: Correction): string {
  const asked = turns.at(-1)?.says;
  return [`## ${line(tool)}: ${line(summary)}`, ...(asked === undefined ? [] : [`> ${line(asked)}`]), line(correction), ''].join('\n\n');
}

/** One line, whatever it was. */
const line = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
