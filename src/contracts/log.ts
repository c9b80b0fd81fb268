/** The operational log: JSON lines on stdout. Static messages; no words, names or numbers of a person, ever. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines all carry these fields. */
  child(fields: LogFields): Logger;
}
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined | readonly string[]>>;
