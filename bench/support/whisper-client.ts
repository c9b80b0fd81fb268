/** The recogniser program spoken to directly, for what the port hides: when a lane is free again, how much memory it holds. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';

export interface WorkerAnswer {
  readonly id: number;
  readonly text?: string;
  readonly error?: string;
  readonly decodeMs?: number;
  /** performance.now() when the line was read. */
  readonly atMs: number;
}

export interface RawWorker {
  send(request: Readonly<Record<string, unknown>>): void;
  /** Sends a decode and resolves with its answer, whatever it is. */
  decode(request: { session: number; toSample: number; kind?: 'partial' | 'final'; fromSample?: number }): {
    id: number;
    answer: Promise<WorkerAnswer>;
  };
  residentMiB(): number;
  stop(): Promise<void>;
}

export async function startRawWorker(program: string, args: readonly string[], audioFd: number): Promise<RawWorker> {
  const child = spawn(program, [...args, '--audio-fd', '3'], { stdio: ['pipe', 'pipe', 'inherit', audioFd] });
  const [stdin, stdout] = child.stdio as unknown as [Writable, Readable];
  const waiting = new Map<number, (answer: WorkerAnswer) => void>();
  let nextId = 1;
  let pending = '';
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const atMs = performance.now();
      pending += chunk;
      for (let end = pending.indexOf('\n'); end >= 0; end = pending.indexOf('\n')) {
        const line = JSON.parse(pending.slice(0, end)) as WorkerAnswer & { ready?: unknown };
        pending = pending.slice(end + 1);
        if (line.ready !== undefined) resolve();
        waiting.get(line.id)?.({ ...line, atMs });
        waiting.delete(line.id);
      }
    });
  });
  const send = (request: Readonly<Record<string, unknown>>): void => void stdin.write(`${JSON.stringify(request)}\n`);
  return {
    send,
    decode: ({ session, toSample, kind = 'final', fromSample = 0 }) => {
      const id = nextId++;
      const answer = new Promise<WorkerAnswer>((resolve) => waiting.set(id, resolve));
      send({ op: 'decode', id, session, fromSample, toSample, kind });
      return { id, answer };
    },
    residentMiB: () => {
      const status = readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
    },
    stop: () => {
      stdin.end();
      return ended;
    },
  };
}
