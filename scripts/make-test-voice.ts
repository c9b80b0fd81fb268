/**
 * Writes the built-in test voice, a fixture with tones instead of speech (scripts/test-voice/small.ts):
 *   node --import tsx scripts/make-test-voice.ts [FOLDER]      default models/builtin
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { smallVoice } from './test-voice/small.ts';

const folder = process.argv[2] ?? join(import.meta.dirname, '..', 'models', 'builtin');
const { model, settings } = smallVoice();
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'test-voice.onnx'), model);
writeFileSync(join(folder, 'test-voice.onnx.json'), settings);
console.log(`test-voice.onnx (${model.length} bytes) and its settings are in ${folder}`);
