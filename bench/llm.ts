/**
 * What our language-model clients cost: per token, and at an abort. Peer: the least that any client must do (fetch, cut lines, parse JSON),
 * against the same server in another process, in turns with ours. Both processes read CLOCK_MONOTONIC.
 *   --tokens=100   tokens of one paced answer     --rounds=5   --aborts=100   --burst=5000   tokens of one unpaced answer
 */
import type { ChatRequest, LanguageModel, Timers } from '../src/contracts/index.ts';
import { OllamaModel, OpenAiModel } from '../src/dialogue/llm/index.ts';
import { startServer, type EngineServer } from './servers/start.ts';
import { benchResult, percentile, type BenchResult, type BenchRow } from './support/result.ts';

const timers: Timers = {
  after(ms, act) {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};
const budget = { firstMs: 30_000, gapMs: 30_000, totalMs: 120_000 };
const PROMPT = 'Are you open on Friday?';

type Protocol = 'ollama' | 'openai';
/** Reads one answer; tells each piece of text when it is there. */
type Reader = (url: string, callKey: string, onText: (text: string) => void, signal?: AbortSignal) => Promise<void>;

function ours(protocol: Protocol): Reader {
  const models = new Map<string, LanguageModel>();
  return async (url, callKey, onText, signal) => {
    const shared = { name: protocol, model: 'stand-in', budget, timers };
    const model =
      models.get(url) ??
      (protocol === 'ollama'
        ? new OllamaModel({ ...shared, baseUrl: url })
        : new OpenAiModel({ ...shared, baseUrl: `${url}/v1`, dialect: 'llama-server' }));
    models.set(url, model);
    const request: ChatRequest = { callKey, messages: [{ role: 'user', text: PROMPT }], ...(signal === undefined ? {} : { signal }) };
    for await (const delta of model.chat(request)) if (delta.t === 'text') onText(delta.text);
  };
}

interface RawLine {
  readonly message?: { readonly content?: string };
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
}

function raw(protocol: Protocol): Reader {
  const path = protocol === 'ollama' ? '/api/chat' : '/v1/chat/completions';
  const textOf = protocol === 'ollama' ? ollamaText : openAiText;
  return async (url, _, onText, signal) => {
    const body = JSON.stringify({ model: 'stand-in', stream: true, messages: [{ role: 'user', content: PROMPT }] });
    const response = await fetch(`${url}${path}`, { method: 'POST', body, ...(signal === undefined ? {} : { signal }) });
    if (response.body === null) throw new Error('no body');
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of response.body) {
      const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const text = textOf(line);
        if (text !== '') onText(text);
      }
    }
  };
}

function ollamaText(line: string): string {
  return (JSON.parse(line) as RawLine).message?.content ?? '';
}

function openAiText(line: string): string {
  return line.startsWith('data: {') ? ((JSON.parse(line.slice(6)) as RawLine).choices?.[0]?.delta?.content ?? '') : '';
}

/** Milliseconds from the server's writing of each token to our having it. */
async function paced(server: EngineServer, reader: Reader, id: string, tokens: number): Promise<number[]> {
  await server.script(id, { replies: [{ parts: 'token '.repeat(tokens), stamp: true }] });
  const delays: number[] = [];
  await reader(server.callUrl(id), id, (text) => {
    const nowNs = process.hrtime.bigint();
    // Two tokens may come as one text; the last one is the latest.
    for (const stamp of text.trim().split(' ')) delays.push(Number(nowNs - BigInt(stamp)) / 1e6);
  });
  // The first token pays for the connection.
  return delays.slice(1);
}

/** Milliseconds per token when the server does not wait. */
async function burst(server: EngineServer, reader: Reader, id: string, tokens: number): Promise<number> {
  await server.script(id, { replies: [{ parts: 'token '.repeat(tokens) }] });
  let sinceNs = 0n;
  let count = 0;
  await reader(server.callUrl(id), id, () => {
    if (count++ === 0) sinceNs = process.hrtime.bigint();
  });
  return Number(process.hrtime.bigint() - sinceNs) / 1e6 / count;
}

/** Milliseconds from our abort to the server's seeing the close. */
async function abort(server: EngineServer, reader: Reader, id: string): Promise<number> {
  await server.script(id, { replies: [{ parts: 'one two three four five', holdAfter: 3 }] });
  const controller = new AbortController();
  let heard = 0;
  let atNs = 0n;
  await reader(
    server.callUrl(id),
    id,
    () => {
      if (++heard !== 3) return;
      atNs = process.hrtime.bigint();
      controller.abort();
    },
    controller.signal,
  ).catch(() => undefined);
  const { closedNs } = await server.until(id, 0, { state: 'closed' });
  return Number(BigInt(closedNs ?? '0') - atNs) / 1e6;
}

interface Sizes {
  readonly tokens: number;
  readonly rounds: number;
  readonly aborts: number;
  readonly burst: number;
}

async function measure(protocol: Protocol, sizes: Sizes): Promise<BenchRow[]> {
  const pacedServer = await startServer(protocol, ['--profile', 'A', '--capacity', '8']);
  const fastServer = await startServer(protocol);
  const readers = { ours: ours(protocol), raw: raw(protocol) };
  const delays = { ours: [] as number[], raw: [] as number[] };
  const perToken = { ours: [] as number[], raw: [] as number[] };
  const aborts = { ours: [] as number[], raw: [] as number[] };
  const kinds = ['raw', 'ours'] as const;
  try {
    // A first round warms the code and is thrown away.
    for (const kind of kinds) {
      await paced(pacedServer, readers[kind], `${kind}-warm`, 20);
      await burst(fastServer, readers[kind], `${kind}-warm`, sizes.burst);
    }
    for (let round = 0; round < sizes.rounds; round++) {
      for (const kind of kinds) {
        delays[kind].push(...(await paced(pacedServer, readers[kind], `${kind}-paced-${round}`, sizes.tokens)));
        perToken[kind].push(await burst(fastServer, readers[kind], `${kind}-burst-${round}`, sizes.burst));
      }
    }
    for (let i = 0; i < sizes.aborts; i++)
      for (const kind of kinds) aborts[kind].push(await abort(fastServer, readers[kind], `${kind}-abort-${i}`));
  } finally {
    await pacedServer.stop();
    await fastServer.stop();
  }
  return [
    ...[0.5, 0.95].map((p) => overheadRow(protocol, p, percentile(delays.ours, p), percentile(delays.raw, p))),
    tokenRow(protocol, percentile(perToken.ours, 0.5), percentile(perToken.raw, 0.5)),
    abortOverheadRow(protocol, percentile(aborts.ours, 0.5), percentile(aborts.raw, 0.5)),
    ...[0.5, 0.95].map((p) => abortRow(protocol, p, percentile(aborts.ours, p), percentile(aborts.raw, p))),
  ];
}

function overheadRow(protocol: Protocol, p: number, oursMs: number, rawMs: number): BenchRow {
  const value = round(oursMs - rawMs);
  const row = {
    metric: `${protocol}: token written to token in hand, p${p * 100}, more than fetch`,
    value,
    unit: 'ms',
    peer: `fetch ${round(rawMs)} ms`,
  };
  return p === 0.5 ? { ...row, goal: '<= 0.2', met: value <= 0.2 } : row;
}
function tokenRow(protocol: Protocol, oursMs: number, rawMs: number): BenchRow {
  const metric = `${protocol}: client time per token when the server does not wait, median`;
  return {
    metric,
    value: round(oursMs),
    unit: 'ms',
    peer: `fetch ${round(rawMs)} ms`,
    ratio: oursMs / rawMs,
    goal: '<= 0.2',
    met: oursMs <= 0.2,
  };
}
function abortOverheadRow(protocol: Protocol, oursMs: number, rawMs: number): BenchRow {
  const value = round(oursMs - rawMs);
  const peer = `fetch ${round(rawMs)} ms`;
  return { metric: `${protocol}: an abort, more than fetch, p50`, value, unit: 'ms', peer, goal: '<= 0.2', met: value <= 0.2 };
}
function abortRow(protocol: Protocol, p: number, oursMs: number, rawMs: number): BenchRow {
  return {
    metric: `${protocol}: abort to the server seeing the close, p${p * 100}`,
    value: round(oursMs),
    unit: 'ms',
    peer: `fetch ${round(rawMs)} ms`,
    ratio: oursMs / rawMs,
    goal: '<= 10',
    met: oursMs <= 10,
  };
}
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

export async function run(options: Readonly<Record<string, string>>): Promise<BenchResult> {
  const number = (name: string, fallback: number): number => {
    const value = Number(options[name] ?? fallback);
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`--${name} must be a whole number from 1, for example --${name}=${fallback}`);
    return value;
  };
  const sizes = { tokens: number('tokens', 100), rounds: number('rounds', 5), aborts: number('aborts', 100), burst: number('burst', 5000) };
  const rows: BenchRow[] = [];
  for (const protocol of ['ollama', 'openai'] as const) rows.push(...(await measure(protocol, sizes)));
  return benchResult('llm', rows);
}
