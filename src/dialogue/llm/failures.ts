/** Errors of servers and packages, turned into ours. No message may carry what a person or a model said. */
import { ParleyError } from '../../contracts/index.ts';

/** Our own error that a package wrapped, if there is one. Bounded: foreign causes may form a ring. */
function ownError(error: unknown): ParleyError | null {
  let cause = error;
  for (let depth = 0; depth < 8 && cause instanceof Error; depth++) {
    if (cause instanceof ParleyError) return cause;
    cause = cause.cause;
  }
  return null;
}

/** The system's short code (ECONNREFUSED, UND_ERR_SOCKET) somewhere in the causes. */
function systemCode(error: unknown): string | null {
  let cause = error;
  for (let depth = 0; depth < 8 && cause instanceof Error; depth++) {
    if ('code' in cause && typeof cause.code === 'string' && /^[A-Z_0-9]{3,40}$/.test(cause.code)) return cause.code;
    cause = cause.cause;
  }
  return null;
}

/** The connection ended before a byte of an answer came: a kept-alive socket that the server had just closed looks like this. */
export function brokeBeforeAnswer(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

/** `where` names the engine and its host. A parser's message quotes what it parsed, so parsers' errors keep neither message nor cause. */
export function toParleyError(error: unknown, where: string): ParleyError {
  const own = ownError(error);
  if (own !== null) return own;
  if (error instanceof SyntaxError) return new ParleyError('LLM_BAD_OUTPUT', `${where} sent something that is not JSON`);
  const code = systemCode(error);
  if (code !== null) return new ParleyError('LLM_FAILED', `${where}: connection failed (${code})`);
  return new ParleyError('LLM_FAILED', `${where} broke off its answer (${error instanceof Error ? error.name : 'unknown error'})`);
}

/** What a status other than 2xx means. `detail` is a machine-readable word of the body, never its sentence. */
export function statusError(status: number, detail: string | null, where: string): ParleyError {
  const said = `${where} answered with status ${status}${detail === null ? '' : ` (${detail})`}`;
  if (status === 404) return new ParleyError('LLM_MODEL', `${said}: the model or the path does not exist there`);
  const passing = status >= 500 || status === 408 || status === 409 || status === 425 || status === 429;
  return new ParleyError(passing ? 'LLM_FAILED' : 'LLM_REFUSED', said);
}
