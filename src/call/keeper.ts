/** Keeps what a crash must not take: which calls are open, and where their conversations are. */
import type { KeptCall, OpenAct, OpenCalls, OpenRecording } from '../contracts/index.ts';

export type KeptBase = Pick<KeptCall, 'callId' | 'pbxId' | 'flow' | 'flowVersion' | 'startedWallUs'>;

export interface KeeperPorts {
  /** Null: nothing is kept, a crash ends the conversation. */
  readonly openCalls: OpenCalls | null;
  readonly nowWallUs: () => number;
  readonly turns: () => number;
  readonly state: () => unknown;
  readonly acts: () => readonly OpenAct[];
  readonly recordings: () => readonly OpenRecording[];
}

export class Keeper {
  readonly #base: KeptBase;
  readonly #ports: KeeperPorts;
  #over = false;
  #informed = false;

  constructor(base: KeptBase, ports: KeeperPorts) {
    this.#base = base;
    this.#ports = ports;
  }

  /** Every notice has been said whole: the conversation itself begins. */
  informed(): void {
    if (this.#informed) return;
    this.#informed = true;
    this.keep();
  }

  /** Call whenever something has changed. */
  keep(): void {
    if (this.#over) return;
    const { openCalls, nowWallUs, turns, state, acts, recordings } = this.#ports;
    // As long as the notice may not have been heard whole it is said again.
    const known = this.#informed || turns() > 0;
    const now = { keptWallUs: nowWallUs(), turns: turns(), state: known ? state() : null };
    openCalls?.keep({ ...this.#base, ...now, acts: acts(), recordings: recordings() });
  }

  /** The end of the call is on disk. */
  drop(): void {
    this.#over = true;
    this.#ports.openCalls?.drop(this.#base.callId);
  }
}
