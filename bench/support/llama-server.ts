/** llama-server as a process of its own on loopback, and what one answer of it costs. */
import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';

export interface LlamaProcess {
  readonly origin: string;
  stop(): Promise<void>;
}

/** Starts the program with these arguments and a free port; resolves when the model is there. Errors: Error when the program ends before. */
export async function serveLlama(program: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<LlamaProcess> {
  const port = await freePort();
  const child = spawn(program, [...args, '--host', '127.0.0.1', '--port', String(port)], { stdio: 'ignore', env: environment });
  let failure: string | null = null;
  const gone = new Promise<void>((resolve) => {
    child.once('error', (error) => resolve(void (failure = error.message)));
    child.once('exit', (code, signal) => resolve(void (failure = `it ended with ${signal ?? code ?? 'unknown'}`)));
  });
  const origin = `http://127.0.0.1:${port}`;
  const over = (): string | null => failure;
  for (;;) {
    const reason = over();
    if (reason !== null) throw new Error(`llama-server did not start: ${reason}`);
    const ready = await fetch(`${origin}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    origin,
    stop: () => {
      child.kill();
      return gone;
    },
  };
}

/** Whether `llama-server --list-devices` names a GPU. */
export function listsGpu(devices: string): boolean {
  return /^\s+(CUDA|ROCm|HIP|Vulkan|SYCL|MTL|Metal)\d*: /m.test(devices);
}

export interface Answer {
  /** From the request to the first token in hand. */
  readonly firstMs: number;
  /** From the first token to the last, for each of them. */
  readonly perTokenMs: number;
  readonly tokens: number;
  readonly text: string;
  /** Tokens of the prompt that were computed for this answer, not found in the cache. */
  readonly computed: number;
}

interface Line {
  readonly content?: string;
  readonly tokens_predicted?: number;
  readonly timings?: { readonly prompt_n?: number };
}

/** One answer of exactly `tokens` tokens to a prompt of token ids. Errors: Error when the server refuses or stops short. */
export async function answerOf(origin: string, prompt: readonly number[], tokens: number): Promise<Answer> {
  const beganAt = performance.now();
  const body = { prompt, n_predict: tokens, ignore_eos: true, stream: true, cache_prompt: true, temperature: 0 };
  const response = await fetch(`${origin}/completion`, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok || response.body === null) throw new Error(`llama-server: ${response.status} ${await response.text()}`);
  const decoder = new TextDecoder();
  let [rest, text] = ['', ''];
  let [firstAt, lastAt] = [NaN, NaN];
  let last: Line = {};
  for await (const chunk of response.body) {
    const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('data: {')) continue;
      last = JSON.parse(line.slice(6)) as Line;
      if (last.content === undefined || last.content === '') continue;
      lastAt = performance.now();
      if (Number.isNaN(firstAt)) firstAt = lastAt;
      text += last.content;
    }
  }
  const made = last.tokens_predicted ?? 0;
  if (made !== tokens || Number.isNaN(firstAt)) throw new Error(`llama-server made ${made} tokens instead of ${tokens}`);
  return {
    firstMs: firstAt - beganAt,
    perTokenMs: (lastAt - firstAt) / (tokens - 1),
    tokens: made,
    text,
    computed: last.timings?.prompt_n ?? NaN,
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
