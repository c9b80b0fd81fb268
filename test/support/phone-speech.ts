/** A synthetic caller: espeak-ng, a telephone line (8 kHz µ-law and back), 16 kHz as the media engine delivers it. */
import { spawnSync } from 'node:child_process';

const RATE_IN = 22050;

/** Blackman-windowed sinc, 16 zero crossings to each side, its taps tabled per phase. */
function resample(input: Float32Array, fromHz: number, toHz: number, cutoffHz: number): Float32Array {
  const half = Math.ceil((16 * fromHz) / (2 * cutoffHz));
  const scale = (2 * cutoffHz) / fromHz;
  const phases = new Map<number, Float64Array>();
  const tapsOf = (fraction: number): Float64Array => {
    const key = Math.round(fraction * 1e6);
    const known = phases.get(key);
    if (known) return known;
    const taps = Float64Array.from({ length: 2 * half + 1 }, (_, i) => {
      const x = i - half - fraction;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * scale * x) / (Math.PI * scale * x);
      const window = 0.42 + 0.5 * Math.cos((Math.PI * x) / (half + 1)) + 0.08 * Math.cos((2 * Math.PI * x) / (half + 1));
      return sinc * window * scale;
    });
    phases.set(key, taps);
    return taps;
  };
  const output = new Float32Array(Math.floor((input.length * toHz) / fromHz));
  for (let n = 0; n < output.length; n++) {
    const center = Math.floor((n * fromHz) / toHz);
    const taps = tapsOf((n * fromHz) / toHz - center);
    let sum = 0;
    for (let i = 0; i < taps.length; i++) sum += (input[center + i - half] ?? 0) * (taps[i] ?? 0);
    output[n] = sum;
  }
  return output;
}

/** ITU-T G.711 µ-law there and back: what the line does to a sample. */
export function overUlaw(sample: number): number {
  const BIAS = 0x84;
  const magnitude = Math.min(32635, Math.abs(Math.round(sample))) + BIAS;
  const exponent = Math.max(0, Math.floor(Math.log2(magnitude)) - 7);
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  const decoded = (((mantissa << 3) + BIAS) << exponent) - BIAS;
  return sample < 0 ? -decoded : decoded;
}

/** 8 kHz samples after µ-law, as they would come out of RTP. */
export function phoneLine(text: string, options: { voice?: string; wpm?: number } = {}): Int16Array {
  const run = spawnSync('espeak-ng', ['-v', options.voice ?? 'en-us', '-s', String(options.wpm ?? 150), '--stdin', '--stdout'], {
    input: text,
    maxBuffer: 1 << 26,
  });
  if (run.status !== 0) throw new Error(`espeak-ng failed: ${run.error?.message ?? run.stderr.toString()}`);
  const wave = run.stdout.subarray(44);
  const wide = Float32Array.from({ length: Math.floor(wave.length / 2) }, (_, i) => wave.readInt16LE(i * 2));
  const peak = wide.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1);
  const narrow = resample(wide, RATE_IN, 8000, 3400);
  return Int16Array.from(narrow, (sample) => overUlaw((sample * 16000) / peak));
}

export function toRing(narrow: Int16Array): Int16Array {
  return Int16Array.from(resample(Float32Array.from(narrow), 8000, 16000, 3800), (sample) =>
    Math.max(-32768, Math.min(32767, Math.round(sample))),
  );
}

/** 16 kHz caller samples with a little silence on both sides. */
export function callerAudio(text: string, options: { voice?: string; wpm?: number; padMs?: number } = {}): Int16Array {
  const speech = toRing(phoneLine(text, options));
  const pad = Math.round((options.padMs ?? 150) * 16);
  const padded = new Int16Array(speech.length + 2 * pad);
  padded.set(speech, pad);
  return padded;
}
