/** A colleague's phone: it is called, says something, and waits for one key. Served by telephony; fakes come with integrations. */
export interface DeskPhone {
  /**
   * Calls the desk, says the text (again when no key comes), and resolves with the key of `keys` that was pressed; null when nobody
   * answered, hung up or pressed none of them. Aborted: hangs up and resolves with null. Errors: PBX_LINK_DOWN, PBX_BAD_INPUT.
   */
  ask(question: {
    readonly desk: string;
    /** Content: said, never logged. */
    readonly text: string;
    readonly keys: readonly string[];
    readonly signal: AbortSignal;
  }): Promise<string | null>;
}
