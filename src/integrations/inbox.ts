/** The ports behind which people wait: what is left there is for a person to do, until the configuration binds them to a system. */
import { type Inbox, type InboxKind, type ToolValue } from '../contracts/index.ts';
import type { PortOperation } from './memory.ts';
import { Refused } from './ports.ts';

/** What each port leaves in the inbox. */
const KINDS: Readonly<Record<string, InboxKind>> = {
  'message.send': 'message',
  'message.remind': 'reminder',
  'callback.request': 'callback',
  'crm.note': 'note',
  'ticket.open': 'ticket',
};

export const INBOX_PORTS: readonly string[] = Object.keys(KINDS);

/** Acts whose answers were lost are asked again soon or never. */
const MOST_KEYS = 1000;

/** Each answers `done`, and `reference` (also as `ticket`): six digits for the caller. */
export function inboxPorts(inbox: Inbox): Readonly<Record<string, PortOperation>> {
  const done = new Map<string, Promise<{ item: string; reference: string }>>();
  const once = (key: string, put: () => Promise<{ item: string; reference: string }>): Promise<{ item: string; reference: string }> => {
    const known = done.get(key);
    if (known !== undefined) return known;
    const [oldest] = done.keys();
    if (done.size >= MOST_KEYS && oldest !== undefined) done.delete(oldest);
    const made = put();
    done.set(key, made);
    // What was not kept may be tried again.
    made.catch(() => done.delete(key));
    return made;
  };
  const port =
    (kind: InboxKind): PortOperation =>
    async (given, key, _signal, about) => {
      if (about === undefined) throw new Refused('an item of the inbox belongs to a call');
      const { callId, caller } = about;
      const number = caller ?? text(given['caller']) ?? text(given['phone']) ?? '';
      const due = kind === 'reminder' ? dayBefore(text(given['day']) ?? '') : null;
      const { reference } = await once(key, () => inbox.put({ kind, callId, number, fields: fieldsOf(given), due }));
      return { done: true, reference, ticket: reference };
    };
  return Object.fromEntries(Object.entries(KINDS).map(([name, kind]) => [name, port(kind)]));
}

const text = (value: ToolValue | undefined): string | undefined => (value === undefined || value === '' ? undefined : String(value));

/** The caller's own number is kept beside the fields. */
function fieldsOf(given: Readonly<Record<string, ToolValue>>): Record<string, string> {
  const said = Object.entries(given).filter(([name, value]) => name !== 'caller' && value !== '');
  return Object.fromEntries(said.map(([name, value]) => [name, String(value)]));
}

/** Null for what is no day: then it is due at once. */
function dayBefore(day: string): string | null {
  const at = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  return Number.isNaN(at) ? null : new Date(at - 86_400_000).toISOString().slice(0, 10);
}
