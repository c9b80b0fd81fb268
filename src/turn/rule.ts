import type { Draft } from './state.ts';

/** A rule that acts with time. */
export interface Rule {
  readonly name: string;
  /** When it is due, null when it is not. */
  readonly dueMs: (draft: Readonly<Draft>) => number | null;
  readonly act: (draft: Draft) => void;
}
