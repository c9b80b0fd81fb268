/** What the callers say: turns with holds inside, made from a seed. The same seed, call and purpose give the same turns. */
import type { Expectation } from '../../src/contracts/index.ts';
import { Draws, streamSeed } from '../servers/draws.ts';

export interface Piece {
  readonly text: string;
  /** Silence after it, inside the turn; null after the last one. */
  readonly pauseMs: number | null;
  /** What kind of place the hold is at. */
  readonly at: 'filler' | 'conjunction' | 'group' | 'clause' | null;
}

export type Disturbance =
  | { readonly t: 'backchannel' | 'barge-in'; readonly text: string; readonly afterMs: number }
  | { readonly t: 'noise'; readonly lengthMs: number; readonly afterMs: number };

export interface CallerTurn {
  readonly expect: Expectation;
  readonly pieces: readonly Piece[];
  /** From the end of what the agent says to the caller's first sample. */
  readonly thinkMs: number;
  /** What the caller does while the agent answers this turn. */
  readonly disturbance: Disturbance | null;
}

const DIGITS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const NAMES = ['miller', 'johnson', 'parker', 'cooper', 'taylor', 'harris', 'bennett'];
const FIRST = ['anna', 'peter', 'susan', 'martin', 'laura', 'david'];
const BACKCHANNELS = ['uh huh', 'aha', 'yeah', 'okay', 'right', 'i see'];
const BARGE_INS = ['wait that is wrong', 'no i meant friday', 'sorry can you repeat that', 'stop i want to speak to a person'];
const FREE = [
  ['we are coming by train', 'so we might be a little late', 'is that possible'],
  ['my order has not arrived', 'it was sent last week', 'can you check that please'],
  ['i have a question about my bill', 'there is a charge that i do not know'],
  ['the radiator in our kitchen is leaking', 'we need somebody today'],
  ['i spoke to a colleague yesterday', 'she said you would call me back'],
];

export function callerTurns(seed: number, call: string, count: number): readonly CallerTurn[] {
  const draws = new Draws(streamSeed(seed, call, 'script'));
  return Array.from({ length: count }, () => turn(draws));
}

const pick = <T>(draws: Draws, list: readonly T[]): T => list[Math.floor(draws.uniform() * list.length)]!;
const between = (draws: Draws, from: number, to: number): number => from + draws.uniform() * (to - from);

function turn(draws: Draws): CallerTurn {
  const kind = draws.uniform();
  const made =
    kind < 0.28
      ? digits(draws)
      : kind < 0.5
        ? booking(draws)
        : kind < 0.66
          ? free(draws)
          : kind < 0.76
            ? day(draws)
            : kind < 0.86
              ? time(draws)
              : kind < 0.93
                ? yesNo(draws)
                : name(draws);
  return { ...made, thinkMs: between(draws, 250, 700), disturbance: disturbance(draws) };
}

type Made = Pick<CallerTurn, 'expect' | 'pieces'>;

/** Log-uniform from 0.2 to 1.5 s. */
const pause = (draws: Draws): number => Math.exp(between(draws, Math.log(200), Math.log(1500)));

/** Parts of a turn with holds between: sometimes with a filler or a conjunction before the hold, as people do. */
function held(draws: Draws, parts: readonly string[], at: 'group' | 'clause'): readonly Piece[] {
  return parts.map((text, i) => {
    if (i === parts.length - 1) return { text, pauseMs: null, at: null };
    const habit = draws.uniform();
    const pauseMs = pause(draws);
    if (habit < 0.3) return { text: `${text} ${pick(draws, ['um', 'uh'])}`, pauseMs, at: 'filler' };
    if (at === 'clause' && habit < 0.55) return { text: `${text} ${pick(draws, ['and', 'so', 'but'])}`, pauseMs, at: 'conjunction' };
    return { text, pauseMs, at };
  });
}

function digits(draws: Draws): Made {
  const count = 3 + Math.floor(draws.uniform() * 9);
  const spoken = Array.from({ length: count }, () => pick(draws, DIGITS));
  const groups: string[] = [];
  for (let i = 0; i < count; i += 3) groups.push(spoken.slice(i, i + 3).join(' '));
  const lead = draws.uniform() < 0.3 ? ['my number is'] : [];
  return { expect: { kind: 'digits', min: count, max: count }, pieces: held(draws, [...lead, ...groups], 'group') };
}

function booking(draws: Draws): Made {
  const people = pick(draws, ['two', 'three', 'four', 'six']);
  const parts = [
    'i would like to book a table',
    `for ${people} people`,
    `on ${pick(draws, DAYS)} evening`,
    `at ${pick(draws, ['seven', 'eight', 'half past six'])}`,
  ];
  return { expect: { kind: 'free' }, pieces: held(draws, parts.slice(0, 2 + Math.floor(draws.uniform() * 3)), 'clause') };
}

function free(draws: Draws): Made {
  const parts = pick(draws, FREE);
  return { expect: { kind: 'free' }, pieces: held(draws, draws.uniform() < 0.3 ? [...parts, 'thank you'] : parts, 'clause') };
}

function day(draws: Draws): Made {
  const parts =
    draws.uniform() < 0.5
      ? [`on ${pick(draws, DAYS)}`]
      : ['let me see', `${pick(draws, DAYS)} the ${pick(draws, ['third', 'fifth', 'ninth'])}`];
  return { expect: { kind: 'day' }, pieces: held(draws, parts, 'clause') };
}

function time(draws: Draws): Made {
  const parts =
    draws.uniform() < 0.5 ? [`at ${pick(draws, ['seven', 'eight', 'nine'])}`] : ['maybe at', `${pick(draws, ['seven', 'eight'])} thirty`];
  return { expect: { kind: 'time' }, pieces: held(draws, parts, 'clause') };
}

function yesNo(draws: Draws): Made {
  return {
    expect: { kind: 'yes-no' },
    pieces: [{ text: pick(draws, ['yes', 'no', 'yes please', 'no thanks', 'yeah', 'correct']), pauseMs: null, at: null }],
  };
}

function name(draws: Draws): Made {
  return { expect: { kind: 'free' }, pieces: held(draws, ['my name is', pick(draws, FIRST), pick(draws, NAMES)], 'clause') };
}

function disturbance(draws: Draws): Disturbance | null {
  const kind = draws.uniform();
  const afterMs = between(draws, 300, 2500);
  if (kind < 0.2) return { t: 'backchannel', text: pick(draws, BACKCHANNELS), afterMs };
  if (kind < 0.25) return { t: 'noise', lengthMs: between(draws, 100, 350), afterMs };
  return kind < 0.4 ? { t: 'barge-in', text: pick(draws, BARGE_INS), afterMs } : null;
}

/** What the agent answers, in turn. */
export const REPLIES: readonly string[] = [
  'thank you i have written that down for you now',
  'certainly let me look that up in our system',
  'that is fine we can do that without any problem',
  'all right there are still some places left that evening',
  'very good i will pass that on to my colleague',
  'i understand we will take care of that this week',
  'of course that has been changed in your booking',
  'good then i have everything that i need from you',
];
export const GREETING = 'hello you are speaking with a machine what can i do';
export const OPENERS: readonly string[] = ['okay', 'right'];
export const AGENT_TEXTS: readonly string[] = [GREETING, ...REPLIES, ...OPENERS];

export function textsOf({ pieces, disturbance }: CallerTurn): readonly string[] {
  const beside = disturbance !== null && disturbance.t !== 'noise' ? [disturbance.text] : [];
  return [...pieces.map(({ text }) => text), ...beside];
}
