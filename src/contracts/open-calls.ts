/** What of an open call outlives this process: enough to go on with it. The PBX keeps the channel; who calls and from where, it tells. */

/** A tool that was asked to act and has not answered: after a crash nobody knows whether it did. */
export interface OpenAct {
  readonly id: string;
  readonly tool: string;
  readonly cost: number;
}

export interface KeptCall {
  readonly callId: string;
  readonly pbxId: string;
  readonly flow: string;
  readonly flowVersion: string;
  readonly startedWallUs: number;
  /** When this was kept. */
  readonly keptWallUs: number;
  /** Turns of the caller so far. */
  readonly turns: number;
  /** The dialogue's state, plain data. Null before the first turn: the conversation begins again, its notice included. */
  readonly state: unknown;
  readonly acts: readonly OpenAct[];
}

/** Kept encrypted, and only while the call is open. */
export interface OpenCalls {
  /** The newest wins. Never rejects: a call whose state cannot be kept goes on, and is logged as such. */
  keep(call: KeptCall): void;
  drop(callId: string): void;
  /** What the process before this one left. */
  left(): Promise<readonly KeptCall[]>;
  /** Resolves when everything kept or dropped so far is in its place. */
  settled(): Promise<void>;
}
