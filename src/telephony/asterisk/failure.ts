/** What Asterisk answered, as an error of ours. */
import { ParleyError } from '../../contracts/index.ts';
import type { ErrorCode } from '../../contracts/index.ts';
import type { AriReply, AriRequest } from './ari-wire.ts';
import { isRecord } from './ari-wire.ts';

/** An answer with an error status. `status` lets the driver tell a missing channel from a missing bridge. */
export class AriRefusal extends ParleyError {
  readonly status: number;
  constructor(code: ErrorCode, message: string, status: number) {
    super(code, message);
    this.name = 'AriRefusal';
    this.status = status;
  }
}

function codeOf(status: number): ErrorCode {
  if (status === 404) return 'PBX_NO_SUCH_CALL';
  if (status === 401 || status === 403) return 'PBX_AUTH';
  if (status === 409 || status === 412 || status === 422) return 'PBX_BAD_STATE';
  return 'PBX_FAILED';
}

/** The query stays out of the message: it may hold slot values. */
export function refusal(request: AriRequest, reply: AriReply): AriRefusal {
  const said = isRecord(reply.body) && typeof reply.body['message'] === 'string' ? reply.body['message'] : reply.reason;
  const path = request.target.split('?')[0] ?? '';
  return new AriRefusal(
    codeOf(reply.status),
    `Asterisk answered ${reply.status} to ${request.method} ${path}: ${said.slice(0, 200)}`,
    reply.status,
  );
}

/** The same of a bridge: one that is just being taken down is "not in Stasis" any more (409). */
export function isBridgeGone(error: unknown): boolean {
  return isGone(error) || (error instanceof AriRefusal && error.status === 409);
}

/** True when the PBX does not have the thing (any more): for callers that wanted it gone, that is success. */
export function isGone(error: unknown): boolean {
  return error instanceof AriRefusal && (error.status === 404 || error.status === 410);
}
