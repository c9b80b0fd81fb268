/**
 * Speaks whisper-server's /inference and OpenAI's /v1/audio/transcriptions: a multipart WAV goes in, words come out. Which words, the
 * call's script says (oracle.ts). Whole file per request, no streaming, as the real one. --capacity 1 is first come, first served.
 */
import type { Fault } from './calls.ts';
import { readBody, sendJson, serve, type Exchange } from './http.ts';
import { hearWords, type ScriptWord } from './oracle.ts';
import { readMultipart } from './multipart.ts';
import { finish, watch } from './stream.ts';
import { readWav, type Wav } from './wav.ts';

const seconds = (ms: number): number => ms / 1000;

function verbose(words: readonly ScriptWord[], wav: Wav, language: string): object {
  const duration = wav.pcm.length / wav.rateHz;
  const text = words.map((word) => ` ${word.text}`).join('');
  const timed = words.map((word) => ({
    word: ` ${word.text}`,
    start: seconds(word.fromMs),
    end: seconds(word.toMs),
    t_dtw: -1,
    probability: 0.95,
  }));
  const segment = {
    id: 0,
    text,
    start: 0,
    end: duration,
    tokens: [],
    words: timed,
    temperature: 0,
    avg_logprob: -0.05,
    no_speech_prob: words.length === 0 ? 0.9 : 0.01,
  };
  return { task: 'transcribe', language, duration, text, segments: words.length === 0 ? [] : [segment], words: timed };
}

async function transcribe(exchange: Exchange): Promise<void> {
  const { call, request, response, setting } = exchange;
  const body = await readBody(request);
  const fields = readMultipart(body, request.headers['content-type'] ?? '');
  const text = (name: string): string => fields.get(name)?.toString() ?? '';
  const asked = {
    response_format: text('response_format'),
    language: text('language'),
    prompt: text('prompt'),
    model: text('model'),
    bytes: body.length,
  };
  const seen = watch(exchange, asked);
  const answer = (status: number, json: unknown): void => {
    if (seen.state !== 'open') return;
    seen.sentParts = 1;
    sendJson(response, status, json);
    finish(call, seen);
  };
  const wav = wavOf(fields.get('file'));
  if (typeof wav === 'string') {
    answer(400, { error: wav });
    return;
  }
  const { replies = [] } = call.script;
  const reply = replies[Math.min(call.requests.length - 1, replies.length - 1)];
  if (reply?.fault !== undefined && broken(reply.fault, exchange, answer)) return;
  const serviceMs = call.draws('stt').serviceMs(setting.profile.sttTail);
  const run = (): void => {
    const giveUp = setting.queue.run([serviceMs], () => answer(200, heard(exchange, wav, asked)));
    response.on('close', giveUp);
  };
  if (reply?.fault === 'late') setTimeout(run, reply.lateMs ?? 0);
  else run();
}

/** The audio, or what is wrong with it. */
function wavOf(file: Buffer | undefined): Wav | string {
  if (file === undefined) return "no 'file' field in the request";
  try {
    return readWav(file);
  } catch (error) {
    return error instanceof Error ? error.message : 'failed to read WAV file';
  }
}

function heard({ call, path }: Exchange, wav: Wav, asked: { response_format: string; language: string }): object {
  const { envelope = [], words = [] } = call.script;
  const said = hearWords(wav, envelope, words, call.draws('late-change'));
  const text = `${said.map((word) => ` ${word.text}`).join('')}\n`;
  if (asked.response_format === 'verbose_json') return verbose(said, wav, asked.language || 'en');
  return { text: path === '/inference' ? text : text.trim() };
}

/** Faults that take the place of an answer. */
function broken(fault: Fault, { response }: Exchange, answer: (status: number, json: unknown) => void): boolean {
  switch (fault) {
    case 'never':
      return true;
    case 'hang-up':
      response.destroy();
      return true;
    case 'status-500':
      answer(500, { error: 'failed to process audio' });
      return true;
    case 'status-400':
    case 'status-404':
      answer(Number(fault.slice(-3)), { error: 'refused' });
      return true;
    case 'wrong-shape':
      answer(200, { text: ['a list'] });
      return true;
    case 'garbage':
      response.writeHead(200, { 'content-type': 'application/json' }).end('<html>');
      return true;
    case 'half':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"text":" Good', () => response.destroy());
      return true;
    case 'cut':
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"text":" Good');
      return true;
    case 'huge-line':
      response.writeHead(200, { 'content-type': 'application/json' }).end(`{"text":"${'x'.repeat(32 << 20)}"}`);
      return true;
    case 'redirect':
      response.writeHead(307, { location: 'http://203.0.113.1/' }).end();
      return true;
    case 'late':
    case 'error-inside':
      return false;
  }
}

serve('whisper', 4, async (exchange) => {
  const { path, method, response } = exchange;
  if (method === 'POST' && (path === '/inference' || path === '/v1/audio/transcriptions')) await transcribe(exchange);
  else if (path === '/health') sendJson(response, 200, { status: 'ok' });
  else if (path === '/v1/models') sendJson(response, 200, { object: 'list', data: [{ id: 'stand-in', object: 'model' }] });
  else sendJson(response, 404, { error: 'not found' });
});
