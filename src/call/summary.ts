/** One line about a call, from what the flow found out: for the colleague who takes over and for the next call. Content. */
import { isSecretHandle, type SlotValue } from '../contracts/index.ts';

const LONGEST = 250;

export type Slots = Readonly<Record<string, SlotValue>>;

export function summaryOf(flow: string, slots: Slots, outcome = ''): string {
  const found = Object.entries(withoutSecrets(slots)).map(([name, { spoken }]) => `${name.replaceAll('_', ' ')} ${spoken}`);
  const line = [flow, ...(found.length > 0 ? [found.join('; ')] : [])].join(': ');
  return `${line}${outcome === '' ? '' : ` (${outcome})`}`.replace(/\s+/g, ' ').slice(0, LONGEST);
}

export function withoutSecrets(slots: Slots): Slots {
  return Object.fromEntries(Object.entries(slots).filter(([, { value }]) => !isSecretHandle(value)));
}
