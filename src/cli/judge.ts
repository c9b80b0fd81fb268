/**
 * Did the caller hear what the flow meant, and did the flow understand what the caller said? Judged from outside: the caller's own
 * recording against renderings of what the gateway says it said.
 */
import type { TextToSpeech } from '../contracts/index.ts';
import { type CallReport, findPrompts, inOrder, type Prompt, promptFrom, type Verdict } from './caller/index.ts';
import type { LiveCallEvent } from './live.ts';
import type { TurnLatency } from './show.ts';

export interface Judgement {
  readonly heard: readonly Verdict[];
  readonly texts: ReadonlyMap<string, string>;
  readonly heardWhole: boolean;
  /** What the caller said and what the flow took it for, where they differ. */
  readonly misunderstood: readonly { readonly said: string; readonly understood: string }[];
  readonly turns: readonly TurnLatency[];
}

type Answered = Extract<CallReport, { answered: true }>;

export async function judge(report: Answered, events: readonly LiveCallEvent[], tts: TextToSpeech, language: string): Promise<Judgement> {
  const texts = new Map<string, string>();
  const prompts: Prompt[] = [];
  for (const event of events) {
    if (event.type !== 'agent.said') continue;
    const text = event.content?.['text'] ?? '';
    const id = `${prompts.length + 1}:${event.body.prompt}`;
    texts.set(id, text);
    prompts.push(promptFrom(id, await tts.synthesise(text, { language })));
  }
  const { verdicts, wholeAndInOrder } = inOrder(prompts, findPrompts(report.heard, prompts));
  return {
    heard: verdicts,
    texts,
    heardWhole: prompts.length > 0 && wholeAndInOrder,
    misunderstood: misunderstandings(report, events),
    turns: latencies(report, events),
  };
}

const normalised = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N} ]/gu, '')
    .replace(/\s+/g, ' ')
    .trim();

function misunderstandings(report: Answered, events: readonly LiveCallEvent[]): Judgement['misunderstood'] {
  const understood = events.flatMap((event) => (event.type === 'caller.said' ? [event.content?.['text'] ?? ''] : []));
  const said = report.turns.map((turn) => turn.said);
  const length = Math.max(said.length, understood.length);
  return Array.from({ length }, (_, i) => ({ said: said[i] ?? '', understood: understood[i] ?? '' })).filter(
    (pair) => normalised(pair.said) !== normalised(pair.understood),
  );
}

function latencies(report: Answered, events: readonly LiveCallEvent[]): TurnLatency[] {
  const spokenTurns = events.flatMap((event) => (event.type === 'caller.said' ? [event.body.turn] : []));
  return events.flatMap((event) => {
    if (event.type !== 'turn.latency') return [];
    const wire = report.turns[spokenTurns.indexOf(event.body.turn)];
    return [{ turn: event.body.turn, said: wire?.said ?? '', waterfall: event.body.waterfall, wireMs: wire?.perceivedMs ?? null }];
  });
}
