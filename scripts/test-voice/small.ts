/**
 * The built-in test voice: a FIXTURE with the tensors, graph shape and settings file of a Piper voice, and tones instead of
 * speech. Every phoneme sounds as a chord of its own and lasts as long as a table says. Flow and vocoder are real
 * convolutions with overlap, so a wrong cut or a missing margin is heard. No trained weights, no person's voice.
 */
import { seeded, type GraphBuilder } from './builder.ts';
import { buildVits } from './vits.ts';

const RATE_HZ = 22050;
const HOP = 256;
const CHANNELS = 16;
const WAVES = 2;

const VOWELS = 'aeiouyɐɑɒæɔəɘɚɛɜɝɞɤɨɪɯɵøœɶʉʊʌʏᵻ';
const CONSONANTS = 'bcdfghjklmnpqrstvwxzçðŋɓɕɖɗɟɠɡɢɣɥɦɧɫɬɭɮɰɱɲɳɴɸɹɺɻɽɾʀʁʂʃʈʋʍʎʐʑʒʔʕʘʙʛʝʟʡʢθχβⱱ';
/** Stress, length and combining marks: they colour what stands beside them and last a frame. */
const MARKS = 'ˈˌːˑ̧̩̪̯̃̊̚͡ʰʲʷ˞';
const STOPS = '.,?!:;';

/** Codepoint → id, with Piper's own three in front. */
export function phonemeIds(): Map<string, number> {
  const ids = new Map<string, number>();
  for (const phoneme of ['_', '^', '$', ' '].concat(Array.from(STOPS + VOWELS + CONSONANTS + MARKS)))
    if (!ids.has(phoneme)) ids.set(phoneme, ids.size);
  return ids;
}

/** Frames of 11.6 ms. */
function framesOf(phoneme: string): number {
  if (VOWELS.includes(phoneme)) return 7;
  if (CONSONANTS.includes(phoneme)) return 4;
  if (phoneme === '.' || phoneme === '?' || phoneme === '!') return 14;
  if (STOPS.includes(phoneme)) return 8;
  return phoneme === ' ' ? 3 : 1;
}

export function smallVoice(options: { speakers?: number } = {}): { model: Uint8Array; settings: string } {
  const ids = phonemeIds();
  const speakers = options.speakers ?? 1;
  const model = buildVits({
    symbols: ids.size,
    channels: CHANNELS,
    speakers,
    seed: 7,
    frames: [...ids.keys()].map(framesOf),
    embedding: (builder) => builder.floats('enc_p.emb.weight', [ids.size, CHANNELS], chords([...ids.keys()])),
    text: (builder, embedded) => builder.op('/enc_p', 'Tanh', [embedded]),
    flow: couplings,
    vocoder,
  });
  const settings = {
    fixture: 'test voice of Parley: tones instead of speech, no trained weights',
    audio: { sample_rate: RATE_HZ, quality: 'test' },
    espeak: { voice: 'en-us' },
    phoneme_type: 'espeak',
    num_symbols: ids.size,
    num_speakers: speakers,
    speaker_id_map: speakers > 1 ? Object.fromEntries(Array.from({ length: speakers }, (_, id) => [`speaker-${id}`, id])) : {},
    // No noise: the same text is the same audio.
    inference: { noise_scale: 0, length_scale: 1, noise_w: 0 },
    phoneme_id_map: Object.fromEntries([...ids].map(([phoneme, id]) => [phoneme, [id]])),
    hop_length: HOP,
  };
  return { model, settings: `${JSON.stringify(settings, null, 1)}\n` };
}

/** Which tones each phoneme is made of: vowels low and loud, consonants high and soft, pauses nothing. */
function chords(phonemes: readonly string[]): Float32Array {
  const table = new Float32Array(phonemes.length * CHANNELS);
  const random = seeded(3);
  phonemes.forEach((phoneme, row) => {
    const vowel = VOWELS.includes(phoneme);
    if (!vowel && !CONSONANTS.includes(phoneme)) return;
    const [from, to, level] = vowel ? [0, CHANNELS / 2, 0.9] : [CHANNELS / 2, CHANNELS, 0.4];
    for (let tone = 0; tone < 3; tone++) table[row * CHANNELS + from + Math.floor(random() * (to - from))] = level * (0.6 + 0.4 * random());
  });
  return table;
}

/** Two residual couplings with the halves swapped in between, as VITS has four. */
function couplings(builder: GraphBuilder, latent: string, mask: string): string {
  const half = CHANNELS / 2;
  let z = latent;
  for (let flow = 0; flow < 2; flow++) {
    const scope = `/flow/flows.${flow}`;
    // Flip: channels backwards.
    const bounds = [
      builder.ints(`flow.${flow}.from`, [-1]),
      builder.ints(`flow.${flow}.to`, [-1000]),
      builder.ints(`flow.${flow}.axis`, [1]),
      builder.ints(`flow.${flow}.step`, [-1]),
    ];
    const flipped = builder.op(scope, 'Slice', [z, ...bounds]);
    const first = builder.op(scope, 'Split', [flipped, builder.ints(`flow.${flow}.halves`, [half, half])], { axis: 1 }, 2);
    const second = first.replace('_output_0', '_output_1');
    const pre = builder.op(scope, 'Mul', [builder.conv(`flow.${flow}.pre`, first, half, CHANNELS, 1), mask]);
    const gate = builder.conv(`flow.${flow}.in`, pre, CHANNELS, 2 * CHANNELS, 5);
    const open = builder.op(scope, 'Split', [gate, builder.ints(`flow.${flow}.gates`, [CHANNELS, CHANNELS])], { axis: 1 }, 2);
    const gated = builder.op(scope, 'Mul', [
      builder.op(scope, 'Tanh', [open]),
      builder.op(scope, 'Sigmoid', [open.replace('_output_0', '_output_1')]),
    ]);
    const mean = builder.op(scope, 'Mul', [builder.conv(`flow.${flow}.post`, gated, CHANNELS, half, 1, { gain: 0.1 }), mask]);
    const moved = builder.op(scope, 'Mul', [builder.op(scope, 'Sub', [second, mean]), mask]);
    z = builder.op(scope, 'Concat', [first, moved], { axis: 1 });
  }
  return z;
}

function vocoder(builder: GraphBuilder, latent: string, speaker: string | null): string {
  let x = builder.conv('dec.conv_pre', latent, CHANNELS, CHANNELS, 7, { gain: 0.1 });
  x = builder.op('/dec', 'Add', [x, latent]);
  if (speaker !== null) x = builder.op('/dec', 'Add', [x, builder.conv('dec.cond', speaker, CHANNELS, CHANNELS, 1)]);
  x = builder.op('/dec', 'Relu', [x]);
  x = builder.op('/dec', 'Add', [x, builder.conv('dec.smooth', x, CHANNELS, CHANNELS, 3, { dilation: 3, gain: 0.1 })]);
  x = builder.up(
    'dec.ups.0',
    x,
    builder.floats('dec.ups.0.weight', [CHANNELS, WAVES, 2 * HOP], waves()),
    builder.floats('dec.ups.0.bias', [WAVES], new Float32Array(WAVES)),
    2 * HOP,
    HOP,
  );
  const active = builder.op('/dec', 'LeakyRelu', [x], { alpha: { float: 0.9 } });
  x = builder.op('/dec', 'Add', [x, builder.conv('dec.resblocks.0', active, WAVES, WAVES, 7, { dilation: 5, gain: 0.05 })]);
  // Sum of the waves, and a little of their neighbourhood.
  const post = new Float32Array(WAVES * 7).map((_, index) => (index % 7 === 3 ? 0.2 : 0.01));
  const bias = builder.floats('dec.conv_post.bias', [1], [0]);
  const pads = { dilations: [1], group: 1, kernel_shape: [7], pads: [3, 3], strides: [1] };
  return builder.op('/dec', 'Tanh', [
    builder.op('/dec/conv_post', 'Conv', [x, builder.floats('dec.conv_post.weight', [1, WAVES, 7], post), bias], pads),
  ]);
}

/** Each channel a sine with whole periods in a hop, under a Hann window of two hops: frames join without a step. */
function waves(): Float32Array {
  const weights = new Float32Array(CHANNELS * WAVES * 2 * HOP);
  for (let channel = 0; channel < CHANNELS; channel++) {
    const periods = channel < CHANNELS / 2 ? 1 + 2 * channel : 5 + 3 * channel;
    for (let at = 0; at < 2 * HOP; at++) {
      const window = 0.5 - 0.5 * Math.cos((Math.PI * at) / HOP);
      weights[(channel * WAVES + (channel % WAVES)) * 2 * HOP + at] = Math.fround(window * Math.sin((2 * Math.PI * periods * at) / HOP));
    }
  }
  return weights;
}
