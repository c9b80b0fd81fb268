/**
 * Recordings of a call that a crash cut off: the log says so, and a withdrawal of consent takes them back like the one that runs. One
 * that was being taken back when the process died is taken back now.
 */
import { type CallRecorder, type Logger, type OpenRecording, ParleyError, type Recording } from '../contracts/index.ts';
import type { Journal } from './journal.ts';

export interface BrokenRecordingsOptions {
  readonly recorder: CallRecorder;
  readonly journal: Journal;
  readonly logger: Logger;
  /** What is to be kept for the next crash is another now. */
  readonly changed: () => void;
}

export class BrokenRecordings {
  readonly #options: BrokenRecordingsOptions;
  #kept: readonly OpenRecording[] = [];
  #adopted: Promise<readonly Recording[]> = Promise.resolve([]);

  constructor(options: BrokenRecordingsOptions) {
    this.#options = options;
  }

  get kept(): readonly OpenRecording[] {
    return this.#kept;
  }

  /** Call once. Never rejects: one that cannot be read costs a line in the log. */
  async adopt(recordings: readonly OpenRecording[]): Promise<void> {
    this.#kept = recordings;
    this.#adopted = Promise.all(recordings.map((one) => this.#adopt(one))).then((all) => all.flatMap((one) => one ?? []));
    await this.#adopted;
  }

  async #adopt({ id, broken, withdrawn }: OpenRecording): Promise<Recording | null> {
    const { recorder, journal, logger, changed } = this.#options;
    try {
      const recording = await recorder.adopt(id, { log: (entry) => journal.before(entry), told: broken });
      this.#kept = this.#kept.map((one) => (one.id === id ? { ...one, broken: true } : one));
      if (withdrawn) {
        await recording.shred('consent withdrawn');
        this.#forget(id);
      }
      changed();
      return withdrawn ? null : recording;
    } catch (error) {
      logger.error('a recording that a crash broke is left as it is', { code: codeOf(error), recording: id });
      return null;
    }
  }

  /** Resolves when the log has said of each what is there. */
  async told(): Promise<void> {
    await this.#adopted;
  }

  /** Consent is withdrawn: from here on a crash does not save them. */
  withdraw(): void {
    this.#kept = this.#kept.map((one) => ({ ...one, withdrawn: true }));
  }

  /** Errors: of the first that could not be shredded; the others are. */
  async shred(why: string): Promise<void> {
    const recordings = await this.#adopted;
    this.#adopted = Promise.resolve([]);
    const done = await Promise.allSettled(recordings.map((recording) => recording.shred(why).then(() => this.#forget(recording.id))));
    for (const each of done) if (each.status === 'rejected') throw each.reason;
  }

  #forget(id: string): void {
    this.#kept = this.#kept.filter((one) => one.id !== id);
  }
}

const codeOf = (error: unknown): string => (error instanceof ParleyError ? error.code : 'INTERNAL');
