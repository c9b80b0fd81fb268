import { randomUUID } from 'node:crypto';
import type { SecretStore } from '../contracts/index.ts';

/** Secrets of the open calls. As bytes, so that they can be overwritten; a text that is taken lives as long as its taker needs it. */
export function createSecretStore(): SecretStore {
  const calls = new Map<string, Map<string, Buffer>>();
  return {
    put(callId, secret) {
      const handle = `secret:${randomUUID()}`;
      const ofCall = calls.get(callId) ?? new Map<string, Buffer>();
      calls.set(callId, ofCall.set(handle, Buffer.from(secret)));
      return handle;
    },
    take(callId, handle) {
      const bytes = calls.get(callId)?.get(handle);
      if (bytes === undefined) return null;
      calls.get(callId)?.delete(handle);
      const secret = bytes.toString();
      bytes.fill(0);
      return secret;
    },
    forget(callId) {
      for (const bytes of calls.get(callId)?.values() ?? []) bytes.fill(0);
      calls.delete(callId);
    },
  };
}
