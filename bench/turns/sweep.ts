/**
 * One factor over all waits: how many holds would be cut and how late ends would be noticed. The turn engine alone, in no time: what
 * it has heard at each pause is the oracle's text, so this measures the endpoint, not the engines. The columns are eot-bench's; the
 * data are our own synthetic callers.
 */
import { decide, initialTurn, type TurnOptions, type TurnState, waitOf } from '../../src/turn/index.ts';
import { percentile, type BenchRow } from '../support/result.ts';
import { ROWS } from './rows.ts';
import { callerTurns, type CallerTurn } from './script.ts';
import { sentence } from './voice.ts';

const FACTORS = Array.from({ length: 33 }, (_, i) => 2 ** (i / 4 - 4));
const PAUSE_MS = 80;
const WORDS_MS = 150;

interface Point {
  readonly cut: number;
  readonly delayMs: number;
}

export function sweep(seed: number, turns: number, rows: readonly string[]): BenchRow[] {
  const script = callerTurns(seed, 'sweep', turns);
  return rows.flatMap((row) => {
    const points = FACTORS.map((factor) => pointOf(script, { ...ROWS[row]!, waitFactor: factor, decodeEarly: true, retractMs: 0 }));
    const at = (name: string, value: number, unit: string): BenchRow => ({ metric: `${row}, endpoint alone: ${name}`, value, unit });
    return [
      at('holds cut at 300 ms median delay', Math.round(cutAt(points, 300) * 1000) / 10, '%'),
      at('holds cut at 600 ms median delay', Math.round(cutAt(points, 600) * 1000) / 10, '%'),
      at('median delay at 5 % of holds cut', Math.round(delayAt(points, 0.05)), 'ms'),
    ];
  });
}

function pointOf(script: readonly CallerTurn[], options: TurnOptions): Point {
  let [holds, cut] = [0, 0];
  const delays: number[] = [];
  let state = initialTurn(options);
  let atMs = 1000;
  for (const turn of script) {
    state = listening(initialTurn(options), state, turn, atMs);
    let text = '';
    for (const piece of turn.pieces) {
      const lengthMs = sentence(piece.text, 'caller').pcm.length / 8;
      text = `${text} ${piece.text}`.trim();
      state = step(state, { t: 'speech-start', atMs: atMs + 60, sample: atMs * 16 });
      const endMs = atMs + lengthMs;
      state = step(state, { t: 'speech-end', atMs: endMs + PAUSE_MS, sample: endMs * 16 });
      state = step(state, { t: 'words', atMs: endMs + PAUSE_MS + 1, decode: state.decodes, text, confidence: 1 });
      const waitMs = Math.max(PAUSE_MS, waitOf(state) ?? WORDS_MS);
      if (piece.pauseMs === null) {
        delays.push(waitMs);
        break;
      }
      holds += 1;
      if (waitMs < piece.pauseMs) cut += 1;
      // A hold that is cut ends the turn here; what follows is judged as if it had not been, so that every hold counts.
      atMs = endMs + piece.pauseMs;
    }
    atMs += 20_000;
  }
  return { cut: cut / Math.max(1, holds), delayMs: percentile(delays, 0.5) };
}

/** A fresh engine that has just asked this turn's question, with what it knows of the caller. */
function listening(fresh: TurnState, known: TurnState, turn: CallerTurn, atMs: number): TurnState {
  let state: TurnState = { ...fresh, history: { ...known.history, cautionTurns: 0 }, decodes: known.decodes };
  state = step(state, { t: 'reply', atMs: atMs - 900, interruptible: true, expect: turn.expect });
  state = step(state, { t: 'agent-start', atMs: atMs - 890 });
  return step(state, { t: 'agent-end', atMs: atMs - 500, interrupted: false });
}

/** A step that never ends the turn by itself: the waits are looked at, not waited for. */
function step(state: TurnState, event: Parameters<typeof decide>[1]): TurnState {
  const frozen = { ...state, options: { ...state.options, speculate: false, partialMs: 0 } };
  const [next] = decide(frozen, event);
  return { ...next, options: state.options };
}

function cutAt(points: readonly Point[], delayMs: number): number {
  return between(
    points.map(({ delayMs: x, cut: y }) => ({ x, y })),
    delayMs,
  );
}

function delayAt(points: readonly Point[], cut: number): number {
  return between(
    points.map(({ delayMs: y, cut: x }) => ({ x, y })),
    cut,
  );
}

/** Straight lines between the points, along x. */
function between(points: readonly { x: number; y: number }[], x: number): number {
  const sorted = [...points].sort((a, b) => a.x - b.x);
  const after = sorted.findIndex((point) => point.x >= x);
  if (after <= 0) return sorted.at(after)?.y ?? NaN;
  const [a, b] = [sorted[after - 1]!, sorted[after]!];
  return b.x === a.x ? b.y : a.y + ((b.y - a.y) * (x - a.x)) / (b.x - a.x);
}
