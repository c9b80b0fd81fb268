/** WAV files as speech servers send them: RIFF, PCM, 16 bit, mono. Sizes in the header may be 0 or -1: streamed. */

const PCM = 1;

/** Errors: Error saying what is wrong; also for a file that ends before the length it announces. */
export function parseWav(bytes: Uint8Array): { pcm: Int16Array; rateHz: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') throw new Error('its answer is no WAV');
  let rateHz: number | null = null;
  for (let at = 12; at + 8 <= bytes.length;) {
    const [body, size] = [at + 8, view.getUint32(at + 4, true)];
    if (tag(at) === 'data') {
      if (rateHz === null) throw new Error('its WAV has no format');
      return { pcm: samplesOf(view, body, size), rateHz };
    }
    if (tag(at) === 'fmt ' && body + 16 <= bytes.length) rateHz = rateOf(view, body);
    at = body + size + (size & 1);
  }
  throw new Error('its WAV ends before the audio');
}

function rateOf(view: DataView, at: number): number {
  const [format, channels, bits] = [view.getUint16(at, true), view.getUint16(at + 2, true), view.getUint16(at + 14, true)];
  const rateHz = view.getUint32(at + 4, true);
  if (format !== PCM || channels !== 1 || bits !== 16) {
    throw new Error(`its WAV has format ${format}, ${channels} channels, ${bits} bits; 16-bit mono PCM is needed`);
  }
  if (rateHz < 8000 || rateHz > 48000) throw new Error(`its WAV has ${rateHz} samples per second`);
  return rateHz;
}

function samplesOf(view: DataView, at: number, size: number): Int16Array {
  const streamed = size === 0 || size >= 0x7fffffff;
  const end = streamed ? view.byteLength : at + size;
  if (end > view.byteLength) throw new Error(`its WAV ends after ${view.byteLength - at} of ${size} bytes`);
  const pcm = new Int16Array(Math.floor((end - at) / 2));
  for (let index = 0; index < pcm.length; index++) pcm[index] = view.getInt16(at + 2 * index, true);
  return pcm;
}
