/**
 * PDF by poppler's pdftotext: a program of its own, without a shell, with bounds on time, memory and output. A PDF that breaks its
 * reader breaks a child process, never a call.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Reading } from './pieces.ts';
import { UnreadableDocument } from './problem.ts';

export interface PdfOptions {
  readonly program?: string;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 30_000;
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;
const MAX_ERROR_CHARS = 2000;
const PRLIMIT = '/usr/bin/prlimit';
const LIMITS = ['--as=1073741824', '--cpu=30', '--core=0', '--fsize=0', '--nofile=64'];

/** `file` is an absolute path of a regular file. Rejects with UnreadableDocument. */
export async function readPdf(file: string, options: PdfOptions = {}): Promise<Reading> {
  const text = await extract(file, options);
  const pages = text.split('\f').map((page, at) => ({
    heading: `page ${at + 1}`,
    paragraphs: page.split(/\r?\n\s*\r?\n/).map(unbroken),
  }));
  const sections = pages.filter(({ paragraphs }) => paragraphs.some((one) => one.trim() !== ''));
  if (sections.length === 0) throw new UnreadableDocument('has no text, only pictures perhaps; only text can be found');
  return { sections, date: null, language: null, maxAgeDays: null };
}

/** Lines of a paragraph; a hyphen at the end of one is a break of the page, not of the word. */
const unbroken = (paragraph: string): string => paragraph.replace(/(\p{Ll})-\r?\n\s*(?=\p{Ll})/gu, '$1');

function extract(file: string, { program = 'pdftotext', timeoutMs = TIMEOUT_MS }: PdfOptions): Promise<string> {
  const given = [program, '-enc', 'UTF-8', file, '-'];
  const [command = '', ...args] = existsSync(PRLIMIT) ? [PRLIMIT, ...LIMITS, ...given] : given;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8' } });
    const parts: Buffer[] = [];
    let size = 0;
    let said = '';
    let problem: string | null = null;
    const stop = (why: string): void => {
      problem ??= why;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => stop(`was not read within ${timeoutMs / 1000} s`), timeoutMs);
    child.stdout.on('data', (part: Buffer) => {
      size += part.length;
      if (size > MAX_OUTPUT_BYTES) stop('has more text than 32 MB');
      else parts.push(part);
    });
    child.stderr.on('data', (part: Buffer) => (said = (said + part.toString('latin1')).slice(0, MAX_ERROR_CHARS)));
    const end = (code: number | null): void => {
      clearTimeout(timer);
      const why = problem ?? (code === 0 ? null : meaning(code, said));
      if (why === null) resolve(Buffer.concat(parts).toString('utf8'));
      else reject(new UnreadableDocument(why));
    };
    child.on('error', () => end(127));
    child.on('close', end);
  });
}

function meaning(code: number | null, said: string): string {
  if (code === 127 || /failed to execute|No such file or directory/i.test(said))
    return 'is a PDF, and the program pdftotext is not there (Debian: poppler-utils)';
  if (/password/i.test(said)) return 'is locked by a password: save it without one';
  if (code === 3) return 'does not permit that its text is copied: save it without that restriction';
  if (code === null) return 'made its reader fail';
  return 'is no PDF that can be read';
}
