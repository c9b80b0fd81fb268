/** A clock and alarms that move only when a test says so, and a log kept in memory. */
import { setImmediate as nextLoop } from 'node:timers/promises';
import type { AuditLog, CallEvent, Clock, Timers } from '../../src/contracts/index.ts';

export class VirtualTime implements Clock, Timers {
  us = 1_000_000;
  #alarms: { readonly atUs: number; readonly act: () => void }[] = [];
  readonly #each: ((ms: number) => void)[] = [];

  monoUs(): number {
    return this.us;
  }
  wallUs(): number {
    return this.us;
  }
  after(ms: number, act: () => void): () => void {
    const alarm = { atUs: this.us + ms * 1000, act };
    this.#alarms.push(alarm);
    return () => {
      this.#alarms = this.#alarms.filter((other) => other !== alarm);
    };
  }
  /** Called for every 10 ms that pass. */
  every10Ms(act: (ms: number) => void): void {
    this.#each.push(act);
  }
  get waiting(): number {
    return this.#alarms.length;
  }
  /** Rings what is due at this moment. */
  ring(): void {
    const due = this.#alarms.filter((alarm) => alarm.atUs <= this.us);
    this.#alarms = this.#alarms.filter((alarm) => alarm.atUs > this.us);
    for (const alarm of due) alarm.act();
  }
  /** Lets time pass in steps of 10 ms; what is due happens, promises settle in between. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      this.us += 10_000;
      for (const act of this.#each) act(10);
      const due = this.#alarms.filter((alarm) => alarm.atUs <= this.us);
      this.#alarms = this.#alarms.filter((alarm) => alarm.atUs > this.us);
      for (const alarm of due) alarm.act();
      await settle();
    }
  }
}

/** Lets every promise that is ready go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await nextLoop();
}

export class MemoryAudit implements AuditLog {
  readonly events: CallEvent[] = [];
  readonly backlog = 0;
  readonly healthy = true;
  append(event: CallEvent): Promise<void> {
    this.events.push(event);
    return Promise.resolve();
  }
  types(): string[] {
    return this.events.map((event) => event.type);
  }
  of<T extends CallEvent['type']>(type: T): Extract<CallEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<CallEvent, { type: T }> => event.type === type);
  }
}
