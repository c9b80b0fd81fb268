/** What of an open call outlives this process: enough to go on with it. The PBX keeps the channel; who calls and from where, it tells. */

/** A tool that was asked to act and has not answered: after a crash nobody knows whether it did. */
export interface OpenAct {
  readonly id: string;
  readonly tool: string;
  readonly cost: number;
}

/** A recording of the call: what was captured before a crash belongs to what a withdrawal of consent takes back. */
export interface OpenRecording {
  readonly id: string;
  /** The log says that a crash broke it. */
  readonly broken: boolean;
  /** Consent is withdrawn, the recording not shredded yet. */
  readonly withdrawn: boolean;
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
  readonly recordings: readonly OpenRecording[];
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
