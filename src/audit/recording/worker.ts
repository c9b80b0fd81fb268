/** The recorder's thread: takes over audio, encrypts it and writes it. Nothing of that touches the main loop. */
import { closeSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { sha256 } from '../chain.ts';
import { encodeChunk, encodeHeader, recordingFile } from './file.ts';
import { LineReader } from './memory.ts';
import type { FromThread, TakeOptions, ThreadOptions, ToThread } from './messages.ts';
import { type Piece, Take } from './take.ts';

if (parentPort === null) throw new Error('worker.ts runs as a worker thread only');
const port = parentPort;
const options = workerData as ThreadOptions;
const CAPTURE_MS = 50;

interface Open {
  readonly take: Take;
  readonly key: Buffer;
  readonly id: string;
  readonly path: string;
  readonly file: number;
  chunks: number;
  samples: number;
  silenced: number;
}

const open = new Map<string, Open>();
let reader: LineReader | null = null;
const send = (message: FromThread): void => port.postMessage(message);

/** A recording that fails ends; the others go on. */
function guarded(id: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    const recording = open.get(id);
    if (recording !== undefined) close(recording);
    send({ t: 'failed', id, why: error instanceof Error ? error.message : String(error) });
  }
}

function start(take: TakeOptions): void {
  reader ??= new LineReader(options.audioFd);
  const path = recordingFile(options.folder, take.id);
  const file = openSync(path, 'wx', 0o600);
  writeSync(file, encodeHeader(take.id, take.rateHz));
  open.set(take.id, {
    take: new Take(take, reader, options),
    key: Buffer.from(take.key.buffer, take.key.byteOffset, take.key.byteLength),
    id: take.id,
    path,
    file,
    chunks: 0,
    samples: 0,
    silenced: 0,
  });
  send({ t: 'started', id: take.id });
}

function write(recording: Open, { frames, silenced }: Piece): void {
  const bytes = encodeChunk(recording.key, recording.id, recording.chunks, frames);
  frames.fill(0);
  for (let done = 0; done < bytes.length;) done += writeSync(recording.file, bytes, done);
  const samples = frames.length / 2;
  send({
    t: 'chunk',
    id: recording.id,
    chunk: { chunk: recording.chunks, samples, silenced, sha256: sha256(bytes).toString('hex') },
  });
  recording.chunks++;
  recording.samples += samples;
  recording.silenced += silenced;
}

function close(recording: Open): void {
  open.delete(recording.id);
  recording.take.wipe();
  recording.key.fill(0);
  closeSync(recording.file);
}

function stop(recording: Open, unheardFromSample: number | null): void {
  recording.take.capture();
  for (let piece = recording.take.rest(unheardFromSample); piece !== null; piece = recording.take.rest(null)) write(recording, piece);
  fsyncSync(recording.file);
  close(recording);
  const { id, chunks, samples, silenced } = recording;
  send({ t: 'done', id, chunks, samples, silenced });
}

function shred(recording: Open): void {
  close(recording);
  unlinkSync(recording.path);
  const { id, chunks, samples, silenced } = recording;
  send({ t: 'done', id, chunks, samples, silenced });
}

const timer = setInterval(() => {
  for (const recording of open.values())
    guarded(recording.id, () => {
      recording.take.capture();
      for (let piece = recording.take.next(); piece !== null; piece = recording.take.next()) write(recording, piece);
    });
}, CAPTURE_MS);

function receive(message: ToThread): void {
  if (message.t === 'close') {
    clearInterval(timer);
    for (const recording of [...open.values()]) close(recording);
    port.close();
    return;
  }
  if (message.t === 'start') {
    start(message.take);
    return;
  }
  const recording = open.get(message.id);
  if (recording === undefined) return;
  if (message.t === 'pause') {
    recording.take.capture();
    recording.take.pause(message.on);
  } else if (message.t === 'silence') {
    if (!recording.take.silence(message.line, message.fromSample, message.toSample)) send({ t: 'late', id: message.id });
  } else if (message.t === 'stop') stop(recording, message.unheardFromSample);
  else shred(recording);
}

port.on('message', (message: ToThread) => {
  guarded(message.t === 'close' ? '' : message.t === 'start' ? message.take.id : message.id, () => receive(message));
});
