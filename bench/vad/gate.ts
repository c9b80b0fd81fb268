/** The media engine's own talk gate, compiled as a filter: what it says about a line. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FRAME, type Line } from './audio.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'build/bench/vad-gate');

/** 16 kHz samples. `known`: the end of the packet with which the edge came out. */
export interface Edge {
  readonly open: boolean;
  /** Neither: something is to be heard. */
  readonly near: boolean;
  readonly sample: number;
  readonly known: number;
}

const COMPILER = process.env['CXX'] ?? 'g++';

let built = false;
function build(): void {
  if (built) return;
  mkdirSync(join(ROOT, 'build/bench'), { recursive: true });
  const sources = [
    join(ROOT, 'bench/vad/gate.cc'),
    join(ROOT, 'native/core/gate/talk_gate.cc'),
    join(ROOT, 'native/core/gate/voice_hint.cc'),
  ];
  execFileSync(COMPILER, ['-std=c++20', '-O2', '-Wall', '-Wextra', `-I${join(ROOT, 'native/core')}`, ...sources, '-o', PROGRAM]);
  built = true;
}

export function gateEdges(line: Line): Edge[] {
  build();
  const frames = line.natural.length;
  const input = new Int16Array(frames * (2 * FRAME + 1));
  line.natural.forEach((natural, frame) => {
    const at = frame * (2 * FRAME + 1);
    input.set(line.sent.subarray(frame * FRAME, (frame + 1) * FRAME), at);
    input.set(line.caller.subarray(frame * FRAME, (frame + 1) * FRAME), at + FRAME);
    input[at + 2 * FRAME] = natural ? 1 : 0;
  });
  const run = spawnSync(PROGRAM, { input: new Uint8Array(input.buffer), maxBuffer: 1 << 26 });
  if (run.status !== 0) throw new Error(`the gate program failed: ${run.stderr.toString()}`);
  const lines = run.stdout.toString().split('\n').filter(Boolean);
  return lines.map((text) => {
    const [open = 0, sample = 0, known = 0] = text.split(' ').map(Number);
    return { open: open === 1, near: open === 2, sample: sample * 2, known: known * 2 };
  });
}
