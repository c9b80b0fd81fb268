/** One line of a simulated conversation. */
export interface Line {
  readonly who: 'caller' | 'agent' | 'act' | 'wrong';
  readonly text: string;
  /** Virtual time, milliseconds since the call began. */
  readonly atMs: number;
}
