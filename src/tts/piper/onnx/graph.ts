/** Questions about the data flow of an ONNX graph: who makes a tensor, what it needs, which tensors everything must pass. */
import type { Graph, Node } from './model.ts';

/** Every tensor that a node reads, subgraphs included. */
export const readsOf = (node: Node): readonly string[] => [...node.inputs, ...node.implicit].filter((name) => name !== '');

/** Tensor name → the node that makes it. Errors: Error when two nodes make one tensor or the nodes are out of order. */
export function producersOf(graph: Graph): ReadonlyMap<string, Node> {
  const made = new Map<string, Node>();
  const given = new Set([...graph.inputs, ...graph.initializers].map((value) => value.name));
  for (const node of graph.nodes) {
    const unknown = readsOf(node).find((name) => !given.has(name) && !made.has(name));
    if (unknown !== undefined) throw new Error(`node ${node.name || node.op} reads ${unknown} before it is made`);
    for (const output of node.outputs) {
      if (output === '') continue;
      if (made.has(output) || given.has(output)) throw new Error(`tensor ${output} is made twice`);
      made.set(output, node);
    }
  }
  return made;
}

/** The nodes needed to compute `targets` once the tensors in `stop` are given, in file order. */
export function nodesBehind(
  graph: Graph,
  producers: ReadonlyMap<string, Node>,
  targets: readonly string[],
  stop: ReadonlySet<string>,
): Node[] {
  const needed = new Set<Node>();
  const open = [...targets];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (stop.has(name)) continue;
    const node = producers.get(name);
    if (node === undefined || needed.has(node)) continue;
    needed.add(node);
    open.push(...readsOf(node));
  }
  return graph.nodes.filter((node) => needed.has(node));
}

/** A piece of a graph with exactly the weights and inputs that its nodes read. */
export function pieceOf(graph: Graph, name: string, nodes: readonly Node[], inputs: Graph['inputs'], outputs: Graph['outputs']): Graph {
  const read = new Set(nodes.flatMap(readsOf));
  return {
    name,
    nodes,
    initializers: graph.initializers.filter((tensor) => read.has(tensor.name)),
    inputs: [...inputs, ...graph.inputs].filter((value) => read.has(value.name)),
    outputs,
  };
}

/**
 * The tensors that all data on its way from `sources` to `target` must pass, nearest to the sources first, `target` last
 * (the dominators of `target`). Tensors that do not depend on the sources are constants here and count for nothing, and so
 * is the tensor `given`.
 */
export function mustPass(graph: Graph, sources: readonly string[], target: string, given?: string): string[] {
  // The nodes stand in topological order, so one sweep of the algorithm of Cooper, Harvey and Kennedy is enough.
  const depth = new Map<string, number>();
  const parent = new Map<string, string | null>();
  for (const source of sources) {
    depth.set(source, 1);
    parent.set(source, null);
  }
  const common = (a: string | null, b: string | null): string | null => {
    let [left, right] = [a, b];
    while (left !== right) {
      const leftDepth = left === null ? 0 : (depth.get(left) ?? 0);
      const rightDepth = right === null ? 0 : (depth.get(right) ?? 0);
      if (leftDepth >= rightDepth) left = left === null ? null : (parent.get(left) ?? null);
      if (rightDepth >= leftDepth) right = right === null ? null : (parent.get(right) ?? null);
    }
    return left;
  };
  for (const node of graph.nodes) {
    const needs = readsOf(node).filter((name) => depth.has(name));
    if (needs.length === 0) continue;
    const gate = needs.slice(1).reduce<string | null>(common, needs[0] ?? null);
    for (const output of node.outputs) {
      if (output === given) continue;
      parent.set(output, gate);
      depth.set(output, (gate === null ? 0 : (depth.get(gate) ?? 0)) + 1);
    }
  }
  if (!depth.has(target)) return [];
  const chain: string[] = [];
  for (let at: string | null = target; at !== null; at = parent.get(at) ?? null) chain.push(at);
  return chain.reverse();
}
