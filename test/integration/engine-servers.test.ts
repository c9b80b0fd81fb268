/** The engine servers as processes: the protocols, the shared queue, faults, and that no server outlives who started it. */
import { test } from 'tap';
import { envelopeOf } from '../../bench/servers/oracle.ts';
import { startServer } from '../../bench/servers/start.ts';
import { readWav, writeWav } from '../../bench/servers/wav.ts';

const words = [
  { text: 'four', fromMs: 100, toMs: 400 },
  { text: 'people', fromMs: 500, toMs: 900 },
];
/** A tone that swells at each word. */
function speech(totalMs: number): Int16Array {
  return Int16Array.from({ length: totalMs * 16 }, (_, i) => {
    const atMs = i / 16;
    const word = words.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
    return word === undefined ? 0 : 8000 * Math.sin((Math.PI * (atMs - word.fromMs)) / (word.toMs - word.fromMs)) * Math.sin(i / 7);
  });
}
function form(pcm: Int16Array, fields: Record<string, string> = {}): FormData {
  const data = new FormData();
  data.set('file', new Blob([new Uint8Array(writeWav({ rateHz: 16000, pcm }))]), 'audio.wav');
  for (const [name, value] of Object.entries(fields)) data.set(name, value);
  return data;
}

test('whisper: a WAV in, the words of the script out, at both addresses', async (t) => {
  const server = await startServer('whisper', ['--profile', 'A', '--seed', '3']);
  t.teardown(() => server.stop());
  const pcm = speech(1000);
  await server.script('c1', { envelope: envelopeOf({ rateHz: 16000, pcm }), words });
  const post = async (path: string, body: FormData): Promise<{ status: number; json: unknown }> => {
    const response = await fetch(`${server.callUrl('c1')}${path}`, { method: 'POST', body });
    return { status: response.status, json: await response.json() };
  };
  t.same(await post('/inference', form(pcm, { response_format: 'json' })), { status: 200, json: { text: ' four people\n' } });
  t.same(await post('/v1/audio/transcriptions', form(pcm.slice(0, 16 * 450))), { status: 200, json: { text: 'four' } });
  t.match(await post('/inference', form(pcm, { response_format: 'verbose_json', language: 'en' })), {
    json: { language: 'en', duration: 1, segments: [{ words: [{ word: ' four', start: 0.1, end: 0.4 }, { word: ' people' }] }] },
  });
  t.match(await post('/inference', form(new Int16Array(16000))), { json: { text: '\n' } }, 'silence');
  t.equal((await post('/inference', new FormData())).status, 400);
  t.equal((await server.seen('c1')).length, 5);
  await server.script('c2', { replies: [{ parts: '', fault: 'status-500' }] });
  t.equal((await fetch(`${server.callUrl('c2')}/inference`, { method: 'POST', body: form(pcm) })).status, 500);
});

test('piper: text in, one WAV out, with the first sample of every word', async (t) => {
  const server = await startServer('piper', ['--voice', 'buzz', '--profile', 'A']);
  t.teardown(() => server.stop());
  const post = (id: string, body: unknown): Promise<Response> =>
    fetch(`${server.callUrl(id)}/synthesize`, { method: 'POST', body: JSON.stringify(body) });
  const response = await post('c1', { text: 'Good day to you.' });
  const wav = readWav(Buffer.from(await response.arrayBuffer()));
  t.equal(wav.rateHz, 22050);
  t.equal(response.headers.get('x-word-samples')?.split(',').length, 4);
  t.equal((await post('c1', { text: ' ' })).status, 400);
  t.equal((await post('c1', 'text')).status, 400);
  await server.script('c2', { replies: [{ parts: '', fault: 'half' }] });
  const broken = await post('c2', { text: 'Good day' });
  await t.rejects(broken.arrayBuffer());
  t.same(Object.keys((await (await fetch(`${server.origin}/voices`)).json()) as object), ['en_US-stand-in']);
});

test('ollama: a caller who gives up leaves the queue', async (t) => {
  const server = await startServer('ollama', ['--profile', 'C', '--capacity', '1']);
  t.teardown(() => server.stop());
  const chat = (id: string, signal?: AbortSignal): Promise<string> =>
    fetch(`${server.callUrl(id)}/api/chat`, {
      method: 'POST',
      body: JSON.stringify({ model: 'stand-in', messages: [{ role: 'user', content: 'Hello' }] }),
      ...(signal === undefined ? {} : { signal }),
    }).then((response) => response.text());
  const controller = new AbortController();
  const gone = t.rejects(chat('a', controller.signal));
  await server.until('a', 0, { state: 'open' });
  controller.abort();
  await gone;
  t.match(await server.until('a', 0, { state: 'closed' }), { sentParts: 0 });
  t.match((await chat('b')).trim().split('\n').at(-1), /"done":true/);
});

test('a server ends with who started it', async (t) => {
  const server = await startServer('openai');
  t.equal((await fetch(`${server.origin}/health`)).status, 200);
  await server.stop();
  await t.rejects(fetch(`${server.origin}/health`));
});
