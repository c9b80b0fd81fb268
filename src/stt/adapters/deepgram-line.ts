/**
 * One utterance on its way to Deepgram's streaming endpoint (wss .../v1/listen): raw PCM goes out as it is said, words come back. Bounded in
 * time and size, never redirected, closed when somebody gives up. Source: Deepgram API reference, live audio.
 */
import { WebSocket } from 'ws';
import { ParleyError } from '../../contracts/index.ts';
import { field, listField, numberField, textField, type HeardWord } from './protocol.ts';

const MAX_MESSAGE_BYTES = 1 << 20;

export interface LineOptions {
  readonly url: URL;
  readonly key: string;
  /** Host and port, for messages. */
  readonly where: string;
  readonly connectMs: number;
}

interface Piece {
  readonly text: string;
  readonly confidence: number;
  readonly words: readonly HeardWord[];
}

export class DeepgramLine {
  readonly #socket: WebSocket;
  readonly #where: string;
  readonly #opened: Promise<void>;
  readonly #settled: Piece[] = [];
  #interim: Piece | null = null;
  #failure: ParleyError | null = null;
  readonly #waiting = new Set<() => void>();
  #flushes = 0;
  #news = 0;

  constructor({ url, key, where, connectMs }: LineOptions) {
    this.#where = where;
    this.#socket = new WebSocket(url, {
      headers: { authorization: `Token ${key}` },
      handshakeTimeout: connectMs,
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
      followRedirects: false,
    });
    this.#opened = new Promise((resolve) => {
      this.#socket.once('open', resolve);
      this.#waiting.add(resolve);
    });
    this.#socket.on('message', (data, isBinary) => this.#take(isBinary ? '' : (data as Buffer).toString()));
    // A refused handshake has a status; what the provider wrote beside it may be about a person.
    this.#socket.on('unexpected-response', (request, response) => {
      request.destroy();
      this.#fail(`answered the handshake with status ${response.statusCode ?? 0}`);
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#fail(`cannot be reached or broke off (${error.code ?? 'protocol error'})`),
    );
    this.#socket.on('close', () => this.#fail('closed the connection'));
  }

  get failed(): boolean {
    return this.#failure !== null;
  }

  /** Sends samples that come after all that were sent. Errors: STT_FAILED. */
  async send(pcm: Int16Array): Promise<void> {
    await this.#opened;
    this.#check();
    if (pcm.length > 0) this.#socket.send(Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength));
  }

  /** Words so far; waits for news of them, but not for long. */
  async soFar(mostMs: number, signal: AbortSignal): Promise<Piece> {
    const seen = this.#news;
    await this.#until(() => this.#news > seen, mostMs, signal);
    this.#check();
    return joined([...this.#settled, ...(this.#interim === null ? [] : [this.#interim])]);
  }

  /** All words of all that was sent. Errors: STT_FAILED. */
  async finalise(mostMs: number, signal: AbortSignal): Promise<Piece> {
    await this.#opened;
    this.#check();
    const flush = this.#flushes + 1;
    this.#socket.send(JSON.stringify({ type: 'Finalize' }));
    const came = await this.#until(() => this.#flushes >= flush, mostMs, signal);
    this.#check();
    if (!came) throw new ParleyError('STT_FAILED', `no words from ${this.#where} after ${mostMs} ms`);
    return joined(this.#settled);
  }

  // A function, so that the compiler does not narrow across an await.
  #check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  close(): void {
    this.#failure ??= new ParleyError('STT_ABORTED', 'the decode was given up: the utterance is over');
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ type: 'CloseStream' }));
    this.#socket.close();
    this.#wake();
  }

  /** False when the time was over. Throws the signal's reason. */
  async #until(done: () => boolean, mostMs: number, signal: AbortSignal): Promise<boolean> {
    const wait = { late: false };
    const timer = setTimeout(() => {
      wait.late = true;
      this.#wake();
    }, mostMs);
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!done() && !wait.late && !signal.aborted && !this.failed) await new Promise<void>((resolve) => this.#waiting.add(resolve));
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
    }
    signal.throwIfAborted();
    return done();
  }

  #wake(): void {
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }

  #fail(why: string): void {
    this.#failure ??= new ParleyError('STT_FAILED', `the recogniser at ${this.#where} ${why}`);
    this.#wake();
    this.#socket.terminate();
  }

  #take(text: string): void {
    try {
      const message: unknown = JSON.parse(text);
      if (field(message, 'type') === 'Error') this.#fail('answered with an error');
      if (field(message, 'type') !== 'Results') return;
      const piece = pieceOf(message);
      if (field(message, 'is_final') === true) {
        if (piece.text !== '') this.#settled.push(piece);
        this.#interim = null;
      } else this.#interim = piece;
      if (field(message, 'from_finalize') === true) this.#flushes++;
      this.#news++;
      this.#wake();
    } catch (error) {
      this.#fail(`speaks another protocol: ${error instanceof SyntaxError ? 'it sent no JSON' : (error as Error).message}`);
    }
  }
}

function pieceOf(message: unknown): Piece {
  const alternative = listField(field(message, 'channel'), 'alternatives')[0];
  const words = listField(alternative, 'words').map((word) => ({
    text: typeof field(word, 'punctuated_word') === 'string' ? textField(word, 'punctuated_word') : textField(word, 'word'),
    fromMs: 1000 * numberField(word, 'start'),
    toMs: 1000 * numberField(word, 'end'),
  }));
  return { text: textField(alternative, 'transcript'), confidence: numberField(alternative, 'confidence'), words };
}

function joined(pieces: readonly Piece[]): Piece {
  const words = pieces.flatMap((piece) => piece.words);
  const text = pieces.map((piece) => piece.text).join(' ');
  return { text, confidence: Math.min(1, ...pieces.map((piece) => piece.confidence)), words };
}
