/**
 * One warm espeak-ng process per language that turns lines of text into IPA. It is GPL and stays a process of its own.
 *
 * `espeak-ng -q --ipa -v VOICE` reads lines and writes one or more lines of phonemes for each, some of them empty. So that
 * answers can never be mistaken for one another, every line is followed by a password: a word of random syllables in phoneme
 * notation, whose IPA is learned when the process starts and which no text can contain (brackets are taken out of every line).
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomInt } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { failed } from './failure.ts';

export interface PhonemiserOptions {
  /** A language of espeak-ng: en-us, de. */
  readonly voice: string;
  readonly program: string;
  /** A process that owes an answer for this long is ended. */
  readonly timeoutMs: number;
  /** Lines that may wait. */
  readonly mostLines: number;
}

/** espeak-ng reads at most 1,000 bytes per line; longer ones it would cut anywhere. */
export const MOST_LINE_BYTES = 900;
const MOST_ANSWER_CHARS = 100_000;
const SYLLABLES = ['ba', 'da', 'ma', 'ta', 'na', 'ka'];

/** Pipes of a child are sockets: they can let the process end. */
interface Holding {
  ref(): unknown;
  unref(): unknown;
}

type Espeak = ChildProcessByStdio<Writable & Holding, Readable & Holding, null>;

interface Question {
  readonly line: string;
  readonly give: (ipa: string) => void;
  readonly fail: (error: Error) => void;
}

export class Phonemiser {
  readonly #options: PhonemiserOptions;
  #process: Espeak | null = null;
  #password = { asked: '', heard: '' };
  #questions: Question[] = [];
  #answer: string[] = [];
  #tail = '';
  #timer: NodeJS.Timeout | null = null;

  constructor(options: PhonemiserOptions) {
    this.#options = options;
  }

  /** IPA of each line. Lines must be plain text without control characters. Errors: TTS_FAILED. */
  async phonemes(lines: readonly string[]): Promise<string[]> {
    if (this.#questions.length + lines.length > this.#options.mostLines)
      throw failed(`${this.#questions.length} lines are waiting for espeak-ng; it is overloaded`);
    return Promise.all(lines.map((line) => this.#ask(line)));
  }

  /** Starts the process ahead of the first text. */
  async warm(): Promise<void> {
    await this.#ask('a');
  }

  close(): void {
    this.#end('espeak-ng is stopped');
  }

  #ask(line: string): Promise<string> {
    if (Buffer.byteLength(line) > MOST_LINE_BYTES)
      return Promise.reject(failed(`a line of ${Buffer.byteLength(line)} bytes is too long for espeak-ng`));
    const plain = line.replace(/[\p{Cc}[\]]/gu, ' ').trim();
    if (plain === '') return Promise.resolve('');
    return new Promise((give, fail) => {
      if (this.#process === null) this.#start();
      this.#questions.push({ line: plain, give, fail });
      this.#process?.stdin.write(`${plain}\n${this.#password.asked}\n`);
      this.#hold(true);
      this.#watch();
    });
  }

  #start(): void {
    const { program, voice } = this.#options;
    const child = spawn(program, ['-q', '--ipa', '-v', voice], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8' },
      // A signal to our group (Ctrl-C) begins a drain; it ends with its standard input.
      detached: true,
    }) as Espeak;
    this.#process = child;
    this.#tail = '';
    this.#answer = [];
    this.#password = { asked: `[[${Array.from({ length: 12 }, () => SYLLABLES[randomInt(SYLLABLES.length)] ?? '').join('')}]]`, heard: '' };
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      if (this.#process === child) this.#read(text);
    });
    child.on('error', (error) => this.#lost(child, `espeak-ng cannot be started (${error.message}); install espeak-ng`));
    child.on('exit', (code, signal) =>
      this.#lost(child, `espeak-ng ended (${signal ?? code ?? 'unknown'}); does it have the voice ${voice}?`),
    );
    child.stdin.on('error', () => undefined); // its end is reported by exit
    child.stdin.write(`${this.#password.asked}\n`);
  }

  #read(text: string): void {
    const lines = (this.#tail + text).split('\n');
    this.#tail = lines.pop() ?? '';
    for (const line of lines) this.#readLine(line.trim());
    const held = this.#tail.length + this.#answer.reduce((sum, line) => sum + line.length, 0);
    if (held > MOST_ANSWER_CHARS) this.#end('espeak-ng gave an endless answer');
  }

  #readLine(line: string): void {
    if (this.#password.heard === '') {
      // The first line that comes is the password spoken.
      if (Array.from(line).length < SYLLABLES.length)
        this.#end(`espeak-ng does not know the phonemes of the password in ${this.#options.voice}`);
      this.#password.heard = line;
    } else if (line !== this.#password.heard) {
      this.#answer.push(line);
    } else {
      const question = this.#questions.shift();
      const ipa = this.#answer.filter((part) => part !== '').join(' ');
      this.#answer = [];
      question?.give(ipa);
      this.#watch(true);
    }
  }

  #lost(child: Espeak, why: string): void {
    if (this.#process === child) this.#end(why);
  }

  #end(why: string): void {
    const child = this.#process;
    this.#process = null;
    child?.kill('SIGKILL');
    const questions = this.#questions;
    this.#questions = [];
    for (const question of questions) question.fail(failed(why));
    this.#watch();
  }

  #hold(on: boolean): void {
    const child = this.#process;
    if (child === null) return;
    for (const handle of [child, child.stdin, child.stdout]) {
      if (on) handle.ref();
      else handle.unref();
    }
  }

  /** The timer runs exactly while an answer is owed; an idle helper does not keep the process alive. */
  #watch(answered = false): void {
    const owed = this.#questions.length > 0;
    if (!owed) this.#hold(false);
    if (this.#timer !== null && owed && !answered) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = owed
      ? setTimeout(() => this.#end(`espeak-ng gave no answer for ${this.#options.timeoutMs} ms`), this.#options.timeoutMs)
      : null;
  }
}
