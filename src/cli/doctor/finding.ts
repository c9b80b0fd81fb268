/** What the doctor found: one line each, with file and line where there is one. */
export interface Finding {
  /** Number of the check, as in the list of `parley doctor --help`. */
  readonly check: number;
  readonly file: string;
  readonly line: number | null;
  /** What is wrong and what to do. Never a secret. */
  readonly message: string;
}

export function findingLine({ check, file, line, message }: Finding): string {
  return `${line === null ? file : `${file}:${line}`}: ${message} (check ${check})`;
}

/** True for an address that only this machine reaches. */
export function isLoopback(address: string): boolean {
  return /^(127(\.\d{1,3}){3}|::1|\[::1\]|localhost)$/i.test(address.trim());
}
