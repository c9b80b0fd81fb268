/**
 * What is kept of a person whose number is restricted may be stored and no more (GDPR 18(2)), but for the person himself and for legal
 * claims. Every reading of content asks here first: what is refused is in the log, and what is allowed is there before it is read.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ParleyError } from '../contracts/index.ts';
import { isRestricted, useOfCall } from '../store/index.ts';
import { readKey, shipAll, type SubjectDesk } from './subject-desk.ts';
import { numberMac } from './vault.ts';

/** Whom content is read for. person: whose it is. claims: legal claims, or the rights of another; with its reference. work: anything else. */
export type ReadFor = { readonly for: 'person' | 'work' } | { readonly for: 'claims'; readonly reference: string };

export const FOR_THE_PERSON: ReadFor = { for: 'person' };

/** Errors: CONTENT_REFUSED while the number is restricted and the reading is for work. */
export async function allowSubject(desk: SubjectDesk, number: string, reading: ReadFor): Promise<void> {
  if (reading.for !== 'work') return;
  const mac = numberMac(await readKey(join(desk.keysFolder, 'number.key')), number);
  if (mac === null || !(await desk.store.use((client) => isRestricted(client, mac)))) return;
  await refuse(desk, null, 'export', 'restricted');
}

/** Before the words of one call are read elsewhere than in the vault: turn records. Errors: CONTENT_REFUSED, STORE_DOWN, SPOOL_FAILED. */
export async function allowCall(desk: SubjectDesk, callId: string, purpose: 'replay'): Promise<{ request: string }> {
  await shipAll(desk);
  const use = await desk.store.use((client) => useOfCall(client, callId));
  if (use === 'restricted' || use === 'erased') return refuse(desk, callId, purpose, use);
  const request = randomUUID();
  await desk.audit.append({ type: 'content.read', callId, body: { request, purpose, payloads: 1 } });
  return { request };
}

async function refuse(desk: SubjectDesk, callId: string | null, purpose: string, why: 'restricted' | 'erased'): Promise<never> {
  const request = randomUUID();
  await desk.audit.append({ type: 'content.refused', callId, body: { request, purpose, why } });
  const reason = why === 'restricted' ? 'its use is restricted (GDPR 18)' : 'the person was erased, or its time is over';
  throw new ParleyError('CONTENT_REFUSED', `Nothing was read: ${reason}. The log names this as request ${request}.`);
}
