/** How many calls the configured voice detector carries on a core of this machine: calls side by side in real time, all listened to. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Vad } from '../../contracts/index.ts';
import { probeMemory } from './probe-memory.ts';

const RATE_KHZ = 16;
/** One window of the detector. */
const WINDOW_SAMPLES = 512;
/** From here on it is measured; before, the model is still warming. */
const WARM_MS = 500;
/** When all talk gates open, in the middle of what is measured. */
const GATES_MS = 1000;

export interface VadProbe {
  readonly calls: number;
  readonly ms: number;
}

export const VAD_PROBE: VadProbe = { calls: 50, ms: 3000 };

export interface MeasuredVad {
  readonly description: string;
  readonly loadMs: number;
  readonly calls: number;
  /** False: the talk gate decides alone. */
  readonly model: boolean;
  /** Call time over CPU time of its worker; null when the probe was too short to tell. */
  readonly callsPerCore: number | null;
  /** Of the gates' openings, one for each call, those that the model left to the gate. */
  readonly shed: number;
}

/** `pcm16`: an utterance. Starts the detector, and stops it again; takes the time of the probe. Errors: VAD_MODEL. */
export async function measureVad(vad: Vad, pcm16: Int16Array, { calls, ms }: VadProbe = VAD_PROBE): Promise<MeasuredVad> {
  const samples = ms * RATE_KHZ;
  const audio = Int16Array.from({ length: samples }, (_, n) => pcm16[n % Math.max(1, pcm16.length)] ?? 0);
  const memory = probeMemory(audio, calls);
  memory.arrived(0);
  try {
    const beganAt = performance.now();
    await vad.start(memory.audio);
    const loadMs = performance.now() - beganAt;
    const sessions = Array.from({ length: calls }, (_, slot) =>
      vad.open({ callId: `doctor-${slot}`, slot, generation: memory.generation }),
    );
    let [open, warm] = [false, vad.stats()];
    const startMs = performance.now();
    for (let come = 0; come + WINDOW_SAMPLES <= samples; come += WINDOW_SAMPLES) {
      await pause(Math.max(0, startMs + come / RATE_KHZ - performance.now()));
      memory.arrived(come);
      if (come / RATE_KHZ < WARM_MS) warm = vad.stats();
      if (!open && come / RATE_KHZ >= GATES_MS) {
        open = true;
        const atUs = Number(process.hrtime.bigint() / 1000n);
        for (const session of sessions) session.gate({ t: 'speech-start', sample: come - WINDOW_SAMPLES, atUs });
      }
    }
    const { cpuMs, callMs, shed } = vad.stats();
    for (const session of sessions) session.close();
    const spentMs = cpuMs - warm.cpuMs;
    const callsPerCore = spentMs <= 0 ? null : Math.round((callMs - warm.callMs) / spentMs);
    return { description: vad.description, loadMs, calls, model: vad.name !== 'gate', callsPerCore, shed };
  } finally {
    await vad.stop();
    memory.free();
  }
}

export function vadLines({ description, loadMs, calls, model, callsPerCore, shed }: MeasuredVad): string[] {
  const carried = callsPerCore === null ? 'too short to measure' : `${callsPerCore} calls per core`;
  const says = model
    ? `${carried} with ${calls} at once, ${shed} of ${calls} openings left to the talk gate`
    : 'no model runs, energy alone decides';
  return [`vad: ${description}`, `  load ${loadMs.toFixed(0)} ms, ${says}`];
}
