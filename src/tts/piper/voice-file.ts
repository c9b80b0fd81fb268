/** Reads a voice from disk and refuses what is none: `<voice>.onnx` and `<voice>.onnx.json`. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { unusable, messageOf } from './failure.ts';
import { FLOAT, INT64, readModel, type Model } from './onnx/model.ts';
import { parseVoiceConfig, type VoiceConfig } from './voice-config.ts';

export interface VoiceFile {
  readonly path: string;
  /** SHA-256 of the .onnx file, hex: the identity of the voice in caches and logs. */
  readonly sha256: string;
  readonly config: VoiceConfig;
  readonly bytes: Uint8Array;
  readonly model: Model;
}

/** Piper's largest voices are 130 MB. */
const MAX_MODEL_BYTES = 1024 ** 3;
const MAX_CONFIG_BYTES = 4 * 1024 ** 2;

/** Errors: TTS_VOICE, saying what is wrong with which file. `sha256` is what the file must hash to. */
export async function loadVoiceFile(path: string, sha256?: string): Promise<VoiceFile> {
  const configPath = `${path}.json`;
  const text = new TextDecoder().decode(await readWhole(configPath, MAX_CONFIG_BYTES));
  let config: VoiceConfig;
  try {
    config = parseVoiceConfig(text);
  } catch (error) {
    throw unusable(configPath, messageOf(error), error);
  }
  const bytes = await readWhole(path, MAX_MODEL_BYTES);
  const hash = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== undefined && sha256.toLowerCase() !== hash) {
    throw unusable(path, `its SHA-256 is ${hash}, expected ${sha256.toLowerCase()}; the download is damaged or another file`);
  }
  const disguise = disguiseOf(bytes);
  if (disguise !== null) throw unusable(path, disguise);
  let model: Model;
  try {
    model = readModel(bytes);
  } catch (error) {
    throw unusable(path, `it is no complete ONNX model (${messageOf(error)}); download it again`, error);
  }
  const missing = missingIn(model, config);
  if (missing !== null) throw unusable(path, missing);
  return { path, sha256: hash, config, bytes, model };
}

async function readWhole(path: string, mostBytes: number): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > mostBytes) throw unusable(path, `it has ${size} bytes, more than ${mostBytes}`);
    if (size === 0) throw unusable(path, 'it is empty');
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw unusable(path, 'there is no such file', error);
    throw error instanceof Error && error.name === 'ParleyError' ? error : unusable(path, messageOf(error), error);
  }
}

/** What people download by mistake. An ONNX model begins with its ir_version: field 1, a varint. */
function disguiseOf(bytes: Uint8Array): string | null {
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 64));
  if (head.startsWith('version https://git-lfs')) return 'it is a Git LFS pointer, not the model; download the file itself';
  if (/^\s*<(!doctype|html)/i.test(head)) return 'it is a web page, not a model; download the file itself';
  if (/^\s*[{[]/.test(head)) return 'it is a JSON text, not a model';
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'it is compressed; unpack it first';
  if (head.startsWith('PK')) return 'it is a zip archive; unpack it first';
  if (bytes[0] !== 0x08) return 'it does not begin like an ONNX model';
  return null;
}

/** What a Piper voice must have: input, input_lengths, scales, sid when it has several speakers; one float output. */
function missingIn(model: Model, config: VoiceConfig): string | null {
  const inputs = new Map(model.graph.inputs.map((value) => [value.name, value.type]));
  const wanted: [string, number, string][] = [
    ['input', INT64, 'int64'],
    ['input_lengths', INT64, 'int64'],
    ['scales', FLOAT, 'float'],
  ];
  if (config.speakers > 1) wanted.push(['sid', INT64, 'int64']);
  for (const [name, type, typeName] of wanted) {
    if (inputs.get(name) !== type) return `it is no Piper voice: the input ${name} (${typeName}) is missing`;
  }
  if (config.speakers === 1 && inputs.has('sid')) return 'it wants a speaker (sid), but num_speakers is 1 in its .json';
  if (model.graph.outputs[0]?.type !== FLOAT) return 'it is no Piper voice: it has no float output';
  return null;
}
