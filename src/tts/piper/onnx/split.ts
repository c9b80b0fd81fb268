/**
 * Cuts a Piper voice into two or three graphs, so that audio starts with the first frames whatever the length of the sentence:
 *   text      phonemes → latent and frames per phoneme: runs once, over the whole sentence
 *   flow      latent → masked latent: local in time, runs over chunks (where it can be cut off; else it stays in `text`)
 *   vocoder   masked latent (z * y_mask) → samples: local in time, runs over chunks
 *
 * The cuts are found by structure, not by name, because exporters name nodes as they like:
 *   1. list the tensors that everything between the text inputs and the audio must pass (dominators);
 *   2. the masked latent is the first of them that feeds a one-dimensional convolution; a Mul, the mask, makes it (a Slice
 *      that exporters leave behind it is passed over), and all that follows is local in time (reach.ts);
 *   3. one factor of that Mul is the mask. It is all ones for a single sentence, so take it as given, list again what
 *      everything must pass on its way to the masked latent: the first tensor behind which all is local in time and holds a
 *      convolution is the latent before the flow.
 * In an official voice this finds /Mul_7_output_0 (the input of /dec/conv_pre/Conv) and the sum that /flow begins with.
 * Durations come from the one Ceil of the text half (w_ceil, /Ceil_output_0): frames per phoneme, exact.
 * A voice of another shape is no error: `why` says what was missing, and the voice is run with fewer cuts, or whole.
 */
import { FLOAT, makeValue, writeModel, type Graph, type Model, type Node, type Value } from './model.ts';
import { mustPass, nodesBehind, pieceOf, producersOf, readsOf } from './graph.ts';
import { reachOf, type Reach } from './reach.ts';

/** A graph that runs over chunks of frames. */
export interface ChunkedGraph extends Reach {
  readonly bytes: Uint8Array;
  /** Input [1, channels, frames], float. */
  readonly input: string;
  /** Input [1, 1, frames] that takes ones, or null. */
  readonly mask: string | null;
  /** Whether it takes `sid` as well. */
  readonly speaker: boolean;
  readonly output: string;
}

export interface SplitVoice {
  readonly text: Uint8Array;
  /** What `text` hands on: [1, channels, frames]. */
  readonly latent: string;
  /** Name of the frames-per-phoneme output of `text`, or null when the voice does not show it. */
  readonly durations: string | null;
  readonly flow: ChunkedGraph | null;
  /** Why there is no flow graph. */
  readonly noFlow: string | null;
  readonly vocoder: ChunkedGraph;
}

export type SplitResult =
  { readonly ok: true; readonly voice: SplitVoice; readonly withoutFlow: SplitVoice | null } | { readonly ok: false; readonly why: string };

const SPEAKER = 'sid';

export function splitVoice(model: Model): SplitResult {
  try {
    return { ok: true, ...new Splitter(model).split() };
  } catch (error) {
    return { ok: false, why: error instanceof Error ? error.message : String(error) };
  }
}

class Splitter {
  readonly #model: Model;
  readonly #graph: Graph;
  readonly #producers: ReadonlyMap<string, Node>;
  readonly #sources: readonly string[];

  constructor(model: Model) {
    this.#model = model;
    this.#graph = model.graph;
    this.#producers = producersOf(model.graph);
    this.#sources = model.graph.inputs.map((value) => value.name).filter((name) => name !== SPEAKER);
  }

  /** The voice with as many cuts as it has, and the same without the flow's. */
  split(): { voice: SplitVoice; withoutFlow: SplitVoice | null } {
    const audio = this.#graph.outputs[0];
    if (audio === undefined) throw new Error('the graph has no output');
    const { name, channels, masking } = this.#findMasked(audio.name);
    const vocoder = this.#chunked('vocoder', makeValue(name, FLOAT, [1, channels, -1]), null, audio);
    let flow: { graph: ChunkedGraph; latent: string } | null = null;
    let noFlow: string | null = null;
    try {
      flow = this.#findFlow(name, channels, masking);
    } catch (error) {
      noFlow = error instanceof Error ? error.message : String(error);
    }
    const cutAt = (latent: string, chunked: ChunkedGraph | null): SplitVoice => {
      const durations = this.#findDurations(latent);
      return { text: this.#text(latent, durations), latent, durations, flow: chunked, noFlow, vocoder };
    };
    const two = cutAt(name, null);
    return flow === null ? { voice: two, withoutFlow: null } : { voice: cutAt(flow.latent, flow.graph), withoutFlow: two };
  }

  /** The masked latent: what all data must pass and a convolution of the vocoder reads. */
  #findMasked(audio: string): { name: string; channels: number; masking: Node } {
    const weights = new Map(this.#graph.initializers.map((tensor) => [tensor.name, tensor]));
    for (const gate of mustPass(this.#graph, this.#sources, audio)) {
      const convolution = this.#graph.nodes.find((node) => node.op === 'Conv' && node.inputs[0] === gate);
      const weight = weights.get(convolution?.inputs[1] ?? '');
      if (weight?.dims.length !== 3) continue;
      const masking = this.#maskingNode(gate);
      if (masking === null) throw new Error(`the tensor ${gate} that feeds the vocoder is not masked`);
      if (weight.type !== FLOAT) throw new Error('the weights are not 32-bit floats');
      return { name: gate, channels: weight.dims[1] ?? 0, masking };
    }
    throw new Error('there is no latent that all data must pass on its way to the audio');
  }

  /** The Mul that makes a tensor, if need be through a Slice. */
  #maskingNode(name: string): Node | null {
    let node = this.#producers.get(name);
    for (let hops = 0; node?.op === 'Slice' && hops < 4; hops++) node = this.#producers.get(node.inputs[0] ?? '');
    return node?.op === 'Mul' ? node : null;
  }

  #findFlow(masked: string, channels: number, masking: Node): { graph: ChunkedGraph; latent: string } {
    let why = 'nothing before the mask is local in time';
    for (const mask of [...masking.inputs].reverse()) {
      // The shortest way first: it fails fast where the other factor was the mask.
      const gates = mustPass(this.#graph, this.#sources, masked, mask).slice(0, -1);
      for (const latent of gates.filter((gate) => gate !== mask && !this.#sources.includes(gate))) {
        try {
          const given = makeValue(latent, FLOAT, [1, channels, -1]);
          const graph = this.#chunked('flow', given, makeValue(mask, FLOAT, [1, 1, -1]), makeValue(masked, FLOAT, [1, channels, -1]));
          if (graph.marginFrames > 1 && graph.perFrame === 1) return { graph, latent };
        } catch (error) {
          why = error instanceof Error ? error.message : String(error);
        }
      }
    }
    throw new Error(why);
  }

  /** The graph from `input` (and a mask of ones) to `output`. Errors: Error when it needs more, or is not local in time. */
  #chunked(name: string, input: Value, mask: Value | null, output: Value): ChunkedGraph {
    const given = mask === null ? [input] : [input, mask];
    const names = given.map((value) => value.name);
    const nodes = nodesBehind(this.#graph, this.#producers, [output.name], new Set(names));
    const piece = pieceOf(this.#graph, name, nodes, given, [output]);
    const stray = piece.inputs.find((value) => this.#sources.includes(value.name));
    if (stray !== undefined) throw new Error(`the ${name} reads ${stray.name}`);
    const read = new Set(piece.inputs.map((value) => value.name));
    return {
      ...reachOf(piece, names, output.name),
      bytes: writeModel(this.#model, piece),
      input: input.name,
      mask: mask !== null && read.has(mask.name) ? mask.name : null,
      speaker: read.has(SPEAKER),
      output: output.name,
    };
  }

  #text(latent: string, durations: string | null): Uint8Array {
    const outputs = [makeValue(latent, FLOAT, null), ...(durations === null ? [] : [makeValue(durations, FLOAT, null)])];
    const names = outputs.map((value) => value.name);
    const nodes = nodesBehind(this.#graph, this.#producers, names, new Set());
    return writeModel(this.#model, pieceOf(this.#graph, 'text', nodes, [], outputs));
  }

  /** The output of the one Ceil in the text half; of several, the one that is summed up (the alignment path). */
  #findDurations(latent: string): string | null {
    const ceils = nodesBehind(this.#graph, this.#producers, [latent], new Set()).filter((node) => node.op === 'Ceil');
    const summed = (node: Node): boolean =>
      this.#graph.nodes.some((user) => user.op === 'CumSum' && readsOf(user).includes(node.outputs[0] ?? ''));
    const chosen = ceils.length === 1 ? ceils : ceils.filter(summed);
    return chosen.length === 1 ? (chosen[0]?.outputs[0] ?? null) : null;
  }
}
