import { ParleyError } from '../contracts/index.ts';

/** SQLSTATE classes that mean "not now": connection (08), shutdown (57P0x), too many connections (53), read-only after a fail-over (25006). */
const NOT_NOW = /^(08...|57P0[1-5]|53...|25006|40001|40P01|57014|55P03)$/;
const NOT_NOW_TEXT = /terminated|ended|closed|timeout|ECONN|ENOENT|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|socket/i;

/** Turns what the driver throws into STORE_DOWN (try again) or STORE_REFUSED (trying again changes nothing). */
export function storeError(error: unknown): ParleyError {
  if (error instanceof ParleyError) return error;
  const { code, message } = error as { code?: unknown; message?: unknown };
  const text = typeof message === 'string' && message !== '' ? message : String(code ?? error);
  const state = typeof code === 'string' ? code : '';
  const sqlState = /^[0-9A-Z]{5}$/.test(state);
  const down = sqlState ? NOT_NOW.test(state) : NOT_NOW_TEXT.test(`${state} ${text}`);
  return new ParleyError(down ? 'STORE_DOWN' : 'STORE_REFUSED', `Postgres: ${text}${sqlState ? ` (${state})` : ''}`, { cause: error });
}
