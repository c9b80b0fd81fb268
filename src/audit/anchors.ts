import { spawn } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { ParleyError } from '../contracts/index.ts';
import { anchorLine } from './note.ts';
import { sendSyslog, type SyslogOptions } from './syslog.ts';

export interface AnchorOptions {
  /** Append-only file outside the database; best on another host's file system. */
  readonly file: string;
  /** Program and arguments that get each note on standard input: logger over TLS, a mail to the auditor, a printer. No shell. */
  readonly command?: readonly string[] | undefined;
  readonly syslog?: SyslogOptions | undefined;
  /** Name of this gateway in syslog. */
  readonly gateway?: string;
}

const COMMAND_LIMIT_MS = 10_000;

/** Brings a note to every place outside the database. Errors: SPOOL_FAILED naming the place; the others still got it. */
export async function publishNote(options: AnchorOptions, note: string): Promise<void> {
  const results = await Promise.allSettled([
    appendNote(options.file, note),
    runCommand(options.command, note),
    options.syslog === undefined ? undefined : sendSyslog(options.syslog, options.gateway ?? 'parley', anchorLine(note)),
  ]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed === undefined) return;
  const why = failed.reason instanceof Error ? failed.reason.message : String(failed.reason);
  throw new ParleyError('SPOOL_FAILED', `A checkpoint could not be anchored: ${why}.`, { cause: failed.reason });
}

async function appendNote(path: string, note: string): Promise<void> {
  const file = await open(path, 'a+', 0o600);
  try {
    // One that a power cut has cut off stays as it is; ours begins on a line of its own.
    await file.appendFile((await endsInLine(file)) ? note : `\n${note}`);
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function endsInLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  await file.read(last, 0, 1, size - 1);
  return last.toString() === '\n';
}

async function runCommand(command: readonly string[] | undefined, note: string): Promise<void> {
  const [program, ...args] = command ?? [];
  if (program === undefined) return;
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'], timeout: COMMAND_LIMIT_MS });
  const ended = new Promise<number | null>((done, fail) => child.once('error', fail).once('close', done));
  // A program that does not read its input is judged by how it ends.
  child.stdin.on('error', () => undefined).end(note);
  const code = await ended;
  if (code !== 0) throw new Error(`${program} ended with ${String(code ?? 'a signal')}`);
}
