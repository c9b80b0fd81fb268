/** Approvals in the console: what is open, and a colleague's yes or no. */
import { type AuditLog, type Clock, type Logger, ParleyError } from '../contracts/index.ts';
import type { Act } from '../http/index.ts';
import { ApprovalDesk } from '../integrations/index.ts';

export function createApprovals(about: { audit: AuditLog; clock: Clock; logger: Logger }): ApprovalDesk {
  const { audit, clock, logger } = about;
  return new ApprovalDesk({ log: (event) => audit.append(event), nowMs: () => clock.monoUs() / 1000, logger });
}

/** New requests are told live: `approval.requested` in /v1/events. */
export function approvalActs(desk: ApprovalDesk): Readonly<Record<'/v1/approvals/list' | '/v1/approvals/decide', Act>> {
  const text = (input: Readonly<Record<string, unknown>>, key: string): string => {
    const value = input[key];
    if (typeof value === 'string' && value !== '' && value.length <= 200) return value;
    throw new ParleyError('CONFIG_INVALID', `'${key}' is missing, expected a text of at most 200 characters`);
  };
  return {
    '/v1/approvals/list': () => Promise.resolve({ approvals: desk.open }),
    '/v1/approvals/decide': async (input) => {
      const decision = text(input, 'decision');
      if (decision !== 'approved' && decision !== 'denied')
        throw new ParleyError('CONFIG_INVALID', `'decision' is '${decision}', expected approved or denied`);
      await desk.decide(text(input, 'call'), text(input, 'id'), decision, { via: 'console', by: text(input, 'by') });
      return { done: true };
    },
  };
}
