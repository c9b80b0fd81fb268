/**
 * A voice of the true size of Piper "medium" with random weights: for timing only, it says nothing. 192 channels; six text
 * layers; flow of four couplings, each four gated convolutions of width 5; HiFi-GAN with upsampling 8 · 8 · 4 from 256
 * channels and residual blocks of kernels 3, 5, 7. The text layers are convolutions of the same cost instead of attention.
 */
import type { GraphBuilder } from './builder.ts';
import { buildVits } from './vits.ts';

const CHANNELS = 192;
const SYMBOLS = 256;

export function mediumVoice(options: { speakers?: number; framesPerSymbol?: number } = {}): Uint8Array {
  return buildVits({
    symbols: SYMBOLS,
    channels: CHANNELS,
    speakers: options.speakers ?? 1,
    seed: 11,
    // Piper puts a pad between phonemes: 3 + 4 frames are 81 ms per phoneme at 22,050 Hz.
    frames: Array.from({ length: SYMBOLS }, (_, symbol) => (symbol === 0 ? 3 : (options.framesPerSymbol ?? 4))),
    embedding: (builder) => builder.noise('enc_p.emb.weight', [SYMBOLS, CHANNELS], 1),
    text: textLayers,
    flow: couplings,
    vocoder: hifigan,
  });
}

function textLayers(builder: GraphBuilder, embedded: string): string {
  let x = builder.op('/enc_p', 'Transpose', [embedded], { perm: [0, 2, 1] });
  for (let layer = 0; layer < 6; layer++) {
    const wide = builder.op('/enc_p', 'Relu', [builder.conv(`enc_p.${layer}.in`, x, CHANNELS, 768, 3)]);
    x = builder.op('/enc_p', 'Add', [x, builder.conv(`enc_p.${layer}.out`, wide, 768, CHANNELS, 3, { gain: 0.3 })]);
  }
  return builder.op('/enc_p', 'Transpose', [x], { perm: [0, 2, 1] });
}

function couplings(builder: GraphBuilder, latent: string, mask: string): string {
  let z = latent;
  for (let flow = 0; flow < 4; flow++) {
    let x = builder.op('/flow', 'Mul', [builder.conv(`flow.${flow}.pre`, z, CHANNELS, CHANNELS, 1), mask]);
    for (let layer = 0; layer < 4; layer++) {
      const a = builder.op('/flow', 'Tanh', [builder.conv(`flow.${flow}.${layer}.a`, x, CHANNELS, CHANNELS, 5)]);
      const b = builder.op('/flow', 'Sigmoid', [builder.conv(`flow.${flow}.${layer}.b`, x, CHANNELS, CHANNELS, 5)]);
      const gated = builder.op('/flow', 'Mul', [a, b]);
      const step = builder.conv(`flow.${flow}.${layer}.skip`, gated, CHANNELS, CHANNELS, 1);
      x = builder.op('/flow', 'Mul', [builder.op('/flow', 'Add', [x, step]), mask]);
    }
    z = builder.op('/flow', 'Mul', [
      builder.op('/flow', 'Sub', [z, builder.conv(`flow.${flow}.post`, x, CHANNELS, CHANNELS, 1, { gain: 0.3 })]),
      mask,
    ]);
  }
  return z;
}

const STAGES = [
  { stride: 8, kernel: 16 },
  { stride: 8, kernel: 16 },
  { stride: 4, kernel: 8 },
] as const;
const BLOCKS = [
  { kernel: 3, dilations: [1, 2] },
  { kernel: 5, dilations: [2, 6] },
  { kernel: 7, dilations: [3, 12] },
] as const;

function hifigan(builder: GraphBuilder, latent: string, speaker: string | null): string {
  let channels = 256;
  let x = builder.conv('dec.conv_pre', latent, CHANNELS, channels, 7);
  if (speaker !== null) x = builder.op('/dec', 'Add', [x, builder.conv('dec.cond', speaker, CHANNELS, channels, 1)]);
  STAGES.forEach(({ stride, kernel }, stage) => {
    const to = channels / 2;
    const weight = builder.noise(`dec.ups.${stage}.weight`, [channels, to, kernel], 1 / Math.sqrt((channels * kernel) / stride));
    const bias = builder.noise(`dec.ups.${stage}.bias`, [to], 0.01);
    x = builder.up(`dec.ups.${stage}`, builder.op('/dec', 'LeakyRelu', [x], { alpha: { float: 0.1 } }), weight, bias, kernel, stride);
    channels = to;
    const outs = BLOCKS.map((block, index) => residual(builder, `dec.resblocks.${stage * BLOCKS.length + index}`, x, channels, block));
    const sum = outs.reduce((left, right) => builder.op('/dec', 'Add', [left, right]));
    x = builder.op('/dec', 'Div', [sum, builder.floats(`dec.blocks.${stage}`, [], [BLOCKS.length])]);
  });
  const last = builder.op('/dec', 'LeakyRelu', [x], { alpha: { float: 0.01 } });
  return builder.op('/dec', 'Tanh', [builder.conv('dec.conv_post', last, channels, 1, 7, { gain: 0.5 })]);
}

function residual(builder: GraphBuilder, path: string, input: string, channels: number, block: (typeof BLOCKS)[number]): string {
  let x = input;
  block.dilations.forEach((dilation, index) => {
    const active = builder.op('/dec', 'LeakyRelu', [x], { alpha: { float: 0.1 } });
    x = builder.op('/dec', 'Add', [builder.conv(`${path}.${index}`, active, channels, channels, block.kernel, { dilation, gain: 0.7 }), x]);
  });
  return x;
}
