/** How a command ends. Exit codes as in sysexits.h. */
import { ParleyError, ProblemsError } from '../contracts/index.ts';

export const EXIT = { ok: 0, failed: 1, usage: 64, unavailable: 69, software: 70, config: 78 } as const;

const CONFIG_CODES: readonly string[] = ['CONFIG_MISSING', 'CONFIG_SYNTAX', 'CONFIG_INVALID', 'FLOW_INVALID', 'PORT_IN_USE', 'STT_MODEL'];

/** One line per problem, with its code; no stack for errors that an admin can mend. */
export function explain(error: unknown): { lines: readonly string[]; exit: number } {
  if (error instanceof ProblemsError) return { lines: error.message.split('\n'), exit: EXIT.config };
  if (error instanceof ParleyError) {
    return { lines: [`${error.code}: ${error.message}`], exit: CONFIG_CODES.includes(error.code) ? EXIT.config : EXIT.unavailable };
  }
  return { lines: [error instanceof Error ? (error.stack ?? error.message) : String(error)], exit: EXIT.software };
}

/** Runs a command's action; its errors become lines on stderr and an exit code. */
export function command<A extends unknown[]>(action: (...args: A) => Promise<number>): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      process.exitCode = await action(...args);
    } catch (error) {
      const { lines, exit } = explain(error);
      for (const line of lines) process.stderr.write(`${line}\n`);
      process.exitCode = exit;
    }
  };
}
