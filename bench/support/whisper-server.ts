/** whisper.cpp's own server as the peer of our worker, built from the same source with the same options. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const SOURCE = 'node_modules/nodejs-whisper/cpp/whisper.cpp';
const OPTIONS = [
  'BUILD_SHARED_LIBS=OFF',
  'GGML_NATIVE=ON',
  'GGML_LLAMAFILE=ON',
  'WHISPER_BUILD_TESTS=OFF',
  'WHISPER_BUILD_EXAMPLES=ON',
  'WHISPER_SDL2=OFF',
];

export interface WhisperServer {
  transcribe(pcm: Int16Array): Promise<string>;
  stop(): void;
}

function build(directory: string): string | undefined {
  const program = `${directory}/bin/whisper-server`;
  if (existsSync(program)) return program;
  console.log('building whisper-server for comparison (some minutes, once) ...');
  try {
    execFileSync('cmake', ['-S', SOURCE, '-B', directory, '-DCMAKE_BUILD_TYPE=Release', ...OPTIONS.map((option) => `-D${option}`)], {
      stdio: 'ignore',
    });
    execFileSync('cmake', ['--build', directory, '--target', 'whisper-server', '-j', '2'], { stdio: 'ignore' });
  } catch {
    console.log('whisper-server could not be built; its row is left out');
    return undefined;
  }
  return program;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function wav(pcm: Int16Array): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + pcm.byteLength, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(16000, 24);
  header.writeUInt32LE(32000, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(pcm.byteLength, 40);
  return Buffer.concat([header, Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength)]);
}

/** Nothing when it cannot be built here. Its threads wait passively, like ours: anything else would be no contest. */
export async function startWhisperServer(model: string, scratch: string): Promise<WhisperServer | undefined> {
  const program = build(`${scratch}/whisper-server`);
  if (program === undefined) return undefined;
  const port = await freePort();
  const args = [
    '-m',
    model,
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '-t',
    '2',
    '-nt',
    '-nf',
    '-bs',
    '1',
    '-bo',
    '1',
    '-nfa',
    '-l',
    'en',
  ];
  const child = spawn(program, args, { stdio: 'ignore', env: { PATH: process.env['PATH'] ?? '', OMP_WAIT_POLICY: 'passive' } });
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 200; tries++) {
    const up = await fetch(`${url}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (up) break;
    await pause(50);
  }
  return {
    transcribe: async (pcm) => {
      const form = new FormData();
      form.set('file', new Blob([wav(pcm)]), 'turn.wav');
      form.set('temperature', '0');
      form.set('temperature_inc', '0');
      form.set('response_format', 'json');
      const response = await fetch(`${url}/inference`, { method: 'POST', body: form });
      return ((await response.json()) as { text?: string }).text?.trim() ?? '';
    },
    stop: () => void child.kill('SIGTERM'),
  };
}
