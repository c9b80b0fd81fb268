/** How a call leaves us: to a desk, back into the dialplan, or by hanging up; and what is said about it at its end. */
import { type DialogueEffect, ParleyError, type PbxDriver } from '../contracts/index.ts';
import type { Journal } from './journal.ts';
import type { Stages } from './ports.ts';
import { type Slots, summaryOf, withoutSecrets } from './summary.ts';

export interface DeparturePorts {
  readonly pbx: PbxDriver;
  readonly pbxId: string;
  readonly desk: Stages['desk'];
  readonly journal: Journal;
  readonly flow: string;
  /** Slots of the conversation. */
  readonly slots: () => Slots;
  readonly transferFailed: (reason: string) => void;
  readonly end: (outcome: string, reason: string) => Promise<void>;
}

/** Channel variables are bounded. */
const MAX_VALUE = 1000;
const BY_CALLER = { outcome: 'caller-hangup', reason: '' };

export class Departure {
  readonly #ports: DeparturePorts;
  /** The PBX's `ended` may come before its answer to our command. */
  #parting = BY_CALLER;

  constructor(ports: DeparturePorts) {
    this.#ports = ports;
  }

  /** How the call ended when its channel is gone. `reason`: the PBX's, which counts when the caller hung up. */
  why(reason: string): { outcome: string; reason: string } {
    return this.#parting.reason === '' ? { ...this.#parting, reason } : this.#parting;
  }

  async carryOut(act: Extract<DialogueEffect, { t: 'transfer' | 'end' }>): Promise<void> {
    if (act.t === 'transfer') {
      await this.#transfer(act.desk);
      return;
    }
    const { pbx, pbxId, end } = this.#ports;
    this.#parting = { outcome: act.outcome, reason: act.how };
    if (act.how === 'leave') await pbx.leave(pbxId, this.#variables(act.outcome));
    else await pbx.hangup(pbxId, 'normal');
    await end(act.outcome, act.how);
  }

  async #transfer(name: string): Promise<void> {
    const { pbx, pbxId, journal, transferFailed, end } = this.#ports;
    const desk = this.#ports.desk(name);
    if (desk === undefined) {
      journal.write({ type: 'transfer.failed', body: { desk: name, code: 'CALL_NO_DESK' } });
      transferFailed('unknown desk');
      return;
    }
    await journal.before({ type: 'transfer.requested', body: { desk: name } });
    this.#parting = { outcome: 'transferred', reason: 'transfer' };
    try {
      await pbx.transfer(pbxId, desk, this.#variables('transferred'));
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.#parting = BY_CALLER;
      journal.write({ type: 'transfer.failed', body: { desk: name, code: error.code } });
      transferFailed(error.code);
      return;
    }
    await end('transferred', 'transfer');
  }

  /** Gives the caller back to the dialplan, which goes on to its fallback. `code`: of the error, where there was one. Never rejects. */
  async giveBack(outcome: string, reason: string, code?: string): Promise<void> {
    const { pbx, pbxId, end } = this.#ports;
    this.#parting = { outcome, reason };
    const variables = { ...this.#variables(outcome), ...(code === undefined ? {} : { PARLEY_ERROR: code }) };
    await pbx.leave(pbxId, variables).catch(() => undefined);
    await end(outcome, reason);
  }

  /** What the dialplan finds after Stasis returns, and at the desk. A handle of a secret is of no use there. */
  #variables(outcome: string): Record<string, string> {
    const slots = this.#ports.slots();
    const variables: Record<string, string> = { PARLEY_OUTCOME: outcome, PARLEY_SUMMARY: summaryOf(this.#ports.flow, slots) };
    for (const [name, { value }] of Object.entries(withoutSecrets(slots))) variables[`PARLEY_SLOT_${name}`] = value.slice(0, MAX_VALUE);
    return variables;
  }
}
