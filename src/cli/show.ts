/** What a person sees in the terminal: the transcript as it happens, the waterfall, what was heard. Pure: events in, lines out. */
import type { Waterfall } from '../contracts/index.ts';
import type { Verdict } from './caller/index.ts';
import type { LiveCallEvent } from './live.ts';

export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly green: (text: string) => string;
  readonly red: (text: string) => string;
  readonly cyan: (text: string) => string;
}

const paint = (open: number, close: number) => (text: string) => `\u001b[${open}m${text}\u001b[${close}m`;
const plain = (text: string): string => text;

export function terminalStyle(colour: boolean): Style {
  if (!colour) return { bold: plain, dim: plain, green: plain, red: plain, cyan: plain };
  return { bold: paint(1, 22), dim: paint(2, 22), green: paint(32, 39), red: paint(31, 39), cyan: paint(36, 39) };
}

const seconds = (ms: number): string =>
  `${Math.max(0, ms / 1000)
    .toFixed(1)
    .padStart(5)} s`;

/** One event as a transcript line, or null when it is none. `startUs`: when the call came in. */
export function transcriptLine(event: LiveCallEvent, startUs: number, style: Style): string | null {
  const at = style.dim(seconds((event.atUs - startUs) / 1000));
  const words = (event as { content?: Record<string, string> }).content ?? {};
  switch (event.type) {
    case 'call.incoming':
      return `${at}  ${style.dim(`call for flow ${event.body.flow} (version ${event.body.flowVersion.slice(0, 12)})`)}`;
    case 'call.answered':
      return `${at}  ${style.dim(`answered in ${event.body.setupMs} ms, audio ${event.body.codecIn} in, ${event.body.codecOut} out`)}`;
    case 'agent.speaking':
      return `${at}  ${style.cyan('Parley')}  ${words['text'] ?? ''}`;
    case 'caller.interrupted':
      return `${at}  ${style.dim(`        interrupted after ${seconds(event.body.sentMs).trim()}`)}`;
    case 'caller.said':
      return `${at}  ${style.green('Caller')}  ${words['text'] ?? ''}`;
    case 'caller.keyed':
      return `${at}  ${style.green('Caller')}  pressed ${event.body.digits} ${event.body.digits === 1 ? 'key' : 'keys'}`;
    case 'caller.silent':
      return `${at}  ${style.dim(`silence for ${seconds(event.body.silentMs).trim()}`)}`;
    case 'slot.filled':
      return `${at}  ${style.dim(`        ${event.body.slot} = ${words['value'] ?? '?'}${event.body.corrected ? ' (corrected)' : ''}`)}`;
    case 'turn.latency':
      return `${at}  ${style.dim(`        ${latencyLine(event.body.waterfall)}`)}`;
    case 'turn.retracted':
      return `${at}  ${style.dim(`        not done yet: turn ${event.body.turn} is taken back after ${event.body.heardMs} ms of our voice`)}`;
    case 'turn.failed':
      return `${at}  ${style.red(`${event.body.engine} failed: ${event.body.code}`)}`;
    case 'transfer.requested':
      return `${at}  ${style.dim(`transfer to ${event.body.desk}`)}`;
    case 'engine.state':
      return `${at}  ${style.dim(`${event.body.engine} is ${event.body.state}`)}`;
    case 'call.ended':
      return `${at}  ${style.dim(`ended: ${event.body.outcome} (${event.body.reason}), ${event.body.turns} turns`)}`;
    default:
      return null;
  }
}

export interface TurnLatency {
  readonly turn: number;
  readonly said: string;
  readonly waterfall: Waterfall;
  /** Measured by the caller at the wire; null when its recording has no such turn. */
  readonly wireMs: number | null;
}

/** What held a reply up, in a word or two. */
export function reasonLine({ chosenWaitMs, speculation, late, bridgedMs }: Waterfall): string {
  const wait = chosenWaitMs === undefined ? [] : [`wait chosen ${Math.round(chosenWaitMs)}`];
  const ahead = { hit: 'reply held', late: 'reply on its way', miss: 'reply for other words', off: 'nothing prepared' };
  const prepared = speculation === undefined ? [] : [ahead[speculation]];
  const bridged = bridgedMs === undefined ? [] : [`opener at ${Math.round(bridgedMs)}`];
  return [...wait, ...prepared, ...bridged, ...(late === undefined ? [] : [`late: ${late}`])].join(', ');
}

const figure = (ms: number | null): string => (ms === null ? '-' : String(Math.round(ms))).padStart(6);

/** The waterfall of one turn as it happens. */
export function latencyLine(waterfall: Waterfall): string {
  const { waitMs, sttMs, dialogueMs, ttsMs, playoutMs, perceivedMs } = waterfall;
  const stages = { wait: waitMs, stt: sttMs, flow: dialogueMs, tts: ttsMs, play: playoutMs };
  const shown = Object.entries(stages).flatMap(([name, ms]) => (ms === null ? [] : [`${name} ${Math.round(ms)}`]));
  const total = perceivedMs === null ? '' : `answered after ${Math.round(perceivedMs)} ms: `;
  return `${total}${shown.join(', ')} (${reasonLine(waterfall)})`;
}

/** The waterfall of each turn: from the caller's last speech sample to our first sample. */
export function waterfallLines(turns: readonly TurnLatency[], style: Style): string[] {
  const head = `  turn  ${'wait'.padStart(6)}  ${'stt'.padStart(6)}  ${'flow'.padStart(6)}  ${'tts'.padStart(6)}  ${'play'.padStart(6)}  ${'total'.padStart(6)}  ${'wire'.padStart(6)}   ms`;
  const rows = turns.flatMap(({ turn, said, waterfall: w, wireMs }) => {
    const cells = [w.waitMs, w.sttMs, w.dialogueMs, w.ttsMs, w.playoutMs, w.perceivedMs].map(figure).join('  ');
    return [
      `  ${String(turn).padStart(4)}  ${cells}  ${style.bold(figure(wireMs))}   ${style.dim(said)}`,
      style.dim(`        ${reasonLine(w)}`),
    ];
  });
  return [
    style.dim(head),
    ...rows,
    style.dim("  stt runs inside the wait; total is the gateway's own audio time line, wire is the caller's recording"),
  ];
}

/** What the caller heard, prompt by prompt. */
export function heardLines(verdicts: readonly Verdict[], texts: ReadonlyMap<string, string>, style: Style): string[] {
  return verdicts.map(({ id, found }) => {
    const text = texts.get(id) ?? '';
    if (found === null) return `  ${style.red('not heard')}               ${text}`;
    const mark = found.complete ? style.green('whole') : style.red(`${Math.round(found.heardMs)} of ${Math.round(found.lengthMs)} ms`);
    return `  ${seconds(found.offsetMs)}  ${found.peak.toFixed(2)}  ${mark}  ${text}`;
  });
}
