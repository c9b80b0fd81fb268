/** Messages between the bench and the process of its callers, and what a caller reports. Times are CLOCK_MONOTONIC in ms. */
import type { CallerTurn } from './script.ts';

export type Line = 'clean' | 'loss' | 'echo' | 'noise';

export interface CallerPlan {
  readonly id: string;
  readonly seed: number;
  readonly line: Line;
  readonly turns: readonly CallerTurn[];
}

export type ToCallers =
  { readonly t: 'plan'; readonly calls: readonly CallerPlan[] } | { readonly t: 'connect'; readonly id: string; readonly port: number };

/** Samples count at 8 kHz from the caller's first packet. */
export type FromCallers =
  | { readonly t: 'bound'; readonly ports: Readonly<Record<string, number>> }
  /** A turn (or a word into our speech) begins: which words lie where. `turn`: index in the plan; -1 beside it. */
  | {
      readonly t: 'speaks';
      readonly id: string;
      readonly turn: number;
      readonly words: readonly { text: string; from: number; to: number }[];
    }
  | { readonly t: 'spoke'; readonly id: string; readonly turn: number }
  | { readonly t: 'done'; readonly id: string; readonly report: CallerReport };

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface TurnReport {
  readonly index: number;
  readonly expect: string;
  readonly startMs: number;
  /** Send time of the packet with the last voiced sample, plus its place in the packet. */
  readonly endMs: number;
  /** Silence inside the turn, by the same clock. */
  readonly holds: readonly (Span & { readonly at: string })[];
  readonly barged: boolean;
}

export interface DisturbanceReport {
  readonly t: 'backchannel' | 'noise' | 'barge-in';
  readonly onsetMs: number;
  readonly offsetMs: number;
  /** Until when the agent was heard at full level: then its packets were at least 8 dB softer than they should have been. */
  readonly duckMs: number | null;
  /** Where in the agent's speech the caller heard the last sample before the silence, and of which text. */
  readonly agentText: string | null;
}

export interface CallerReport {
  readonly id: string;
  readonly turns: readonly TurnReport[];
  readonly disturbances: readonly DisturbanceReport[];
  /** When the agent was heard: gaps under 60 ms closed. `samples`: voiced and between, at 8 kHz. */
  readonly agent: readonly (Span & {
    readonly text: string | null;
    readonly firstRefSample: number | null;
    readonly lastRefSample: number | null;
  })[];
  readonly packetsSent: number;
  readonly packetsReceived: number;
  /** Packets of the agent that came more than 20 ms after their slot. */
  readonly latePackets: number;
}
