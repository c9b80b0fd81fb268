/**
 * Speaks Piper's HTTP API: POST /synthesize {text, voice?, length_scale?} gives one whole WAV, GET /voices, GET /info. One header more than the real
 * one: x-word-samples, the first sample of each word, for benches that must know what was heard. --voice buzz needs no espeak-ng.
 */
import { cpus } from 'node:os';
import type { Fault } from './calls.ts';
import { readBody, sendJson, serve, type Exchange } from './http.ts';
import { finish, watch } from './stream.ts';
import { RATE_HZ, speak } from './voice.ts';
import { writeWav } from './wav.ts';

async function synthesize(exchange: Exchange): Promise<void> {
  const { call, request, response, setting } = exchange;
  const body = asObject((await readBody(request)).toString());
  const seen = watch(exchange, body);
  const refuse = (status: number, message: string): void => {
    response.writeHead(status, { 'content-type': 'text/plain' }).end(message);
    finish(call, seen);
  };
  const text = body?.['text'];
  if (typeof text !== 'string' || text.trim() === '') {
    refuse(400, 'No text provided');
    return;
  }
  const replies = call.script.replies ?? [];
  const reply = replies[Math.min(call.requests.length - 1, replies.length - 1)];
  if (broken(reply?.fault, exchange, refuse)) return;
  const { pcm, wordSamples } = await speak(text, setting.options['voice'] === 'buzz' ? 'buzz' : 'espeak', languageOf(body?.['voice']));
  const wav = writeWav({ rateHz: RATE_HZ, pcm });
  const serviceMs = call.draws('tts').serviceMs(setting.profile.ttsFirst);
  const send = (): void => {
    if (seen.state !== 'open') return;
    seen.sentParts = 1;
    response.writeHead(200, { 'content-type': 'audio/wav', 'content-length': wav.length, 'x-word-samples': wordSamples.join(',') });
    if (reply?.fault === 'half') {
      response.write(wav.subarray(0, wav.length >> 1), () => response.destroy());
      return;
    }
    response.end(wav);
    finish(call, seen);
  };
  const run = (): void => void response.on('close', setting.queue.run([serviceMs], send));
  if (reply?.fault === 'late') setTimeout(run, reply.lateMs ?? 0);
  else run();
}

/** Faults that take the place of an answer. */
function broken(fault: Fault | undefined, { response }: Exchange, refuse: (status: number, message: string) => void): boolean {
  switch (fault) {
    case 'never':
      return true;
    case 'hang-up':
      response.destroy();
      return true;
    case 'status-400':
    case 'status-404':
    case 'status-500':
      refuse(Number(fault.slice(-3)), 'refused, as the script says');
      return true;
    case 'garbage':
    case 'wrong-shape':
      response.writeHead(200, { 'content-type': 'audio/wav' }).end('<html>');
      return true;
    default:
      return false;
  }
}

/** `en_US-lessac-medium` is English. */
function languageOf(voice: unknown): string {
  const language = typeof voice === 'string' ? (voice.split(/[-_]/)[0] ?? '') : '';
  return /^[a-z]{2,3}$/.test(language) ? language : 'en';
}

function asObject(raw: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(raw);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

serve('piper', cpus().length, async (exchange) => {
  const { path, method, response } = exchange;
  if (method === 'POST' && (path === '/synthesize' || path === '/')) await synthesize(exchange);
  else if (path === '/voices') sendJson(response, 200, { 'en_US-stand-in': { audio: { sample_rate: RATE_HZ }, num_speakers: 1 } });
  else if (path === '/info') sendJson(response, 200, { version: '0.0.0-stand-in', default_voice: 'en_US-stand-in' });
  else response.writeHead(404).end();
});
