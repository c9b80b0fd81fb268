/** Secrets that callers give: in memory only, each good for one use, named by handles that say nothing. */

export interface SecretStore {
  /** The handle under which it can be taken once, by a tool of this call. */
  put(callId: string, secret: string): string;
  /** The secret, which is gone from here then; null when there is none under this handle in this call. */
  take(callId: string, handle: string): string | null;
  /** The call is over: what nobody took is gone. */
  forget(callId: string): void;
}

const HANDLE = /^secret:[0-9a-f-]{36}$/;
export const isSecretHandle = (value: unknown): value is string => typeof value === 'string' && HANDLE.test(value);
