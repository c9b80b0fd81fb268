/** Which of what the talk gate hears is a voice. */
import { z } from 'zod';

const probability = z.number('expected a number between 0 and 1').gt(0, 'expected more than 0').lt(1, 'expected less than 1');
const ms = z
  .int('expected milliseconds, 0 to 2000')
  .min(0, 'expected milliseconds, 0 to 2000')
  .max(2000, 'expected milliseconds, 0 to 2000');

export const vadSchema = z
  .strictObject({
    engine: z
      .enum(['silero', 'gate'])
      .default('silero')
      .describe('silero: a model tells voices from noise. gate: energy alone, as on machines without a core to spare.'),
    model: z
      .string()
      .trim()
      .min(1, 'expected a path')
      .default('models/vad/silero-vad-v6.onnx')
      .describe('A Silero VAD file, version 5 or later. Not used by gate.'),
    start: probability.default(0.5).describe('Probability at which a voice begins.'),
    stop: probability.default(0.35).describe('Probability below which it may end.'),
    minSpeechMs: ms.default(32).describe('How long the model must be sure before a voice begins, in steps of 32 ms.'),
    minSilenceMs: ms.default(160).describe('Silence by which the model ends a voice that the talk gate still hears.'),
    mostListening: z
      .int('expected a whole number, 0 to 10000')
      .min(0, 'expected a whole number, 0 to 10000')
      .max(10_000, 'expected a whole number, 0 to 10000')
      .default(1000)
      .describe('Calls that the model listens to all the time while we are silent; beyond, it waits for the talk gate.'),
  })
  .refine(({ start, stop }) => stop <= start, { path: ['stop'], message: 'is above vad.start, expected at most that' });
