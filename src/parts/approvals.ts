/** Approvals in the console and at desk phones: what is open, and a colleague's yes or no. */
import { createDeskPhone } from '../call/index.ts';
import type { Config } from '../config/index.ts';
import {
  type AuditLog,
  type Clock,
  type Logger,
  type MediaEngine,
  ParleyError,
  type PbxDriver,
  type TextToSpeech,
  type Timers,
} from '../contracts/index.ts';
import type { Act } from '../http/index.ts';
import { ApprovalDesk } from '../integrations/index.ts';
import type { TakeCorrection } from './corrections.ts';
import { mediaFormats } from './voice.ts';

export interface ApprovalParts {
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly pbx: PbxDriver;
  readonly media: MediaEngine;
  readonly tts: TextToSpeech;
}

const SPOKEN: Readonly<Record<Config['approvals']['language'], (summary: string) => string>> = {
  en: (summary) => `An approval is needed. ${summary}. Press 1 to approve, 2 to deny.`,
  de: (summary) => `Eine Freigabe wird gebraucht. ${summary}. Drücken Sie 1 für ja, 2 für nein.`,
  fr: (summary) => `Une autorisation est demandée. ${summary}. Appuyez sur 1 pour accepter, sur 2 pour refuser.`,
  es: (summary) => `Se necesita una autorización. ${summary}. Pulse 1 para aprobar, 2 para rechazar.`,
};

/** The console, and the desks of the configuration one after the other; the first decision counts. */
export function createApprovals(config: Config, parts: ApprovalParts): ApprovalDesk {
  const { audit, clock, logger } = parts;
  const { desks, language, timeoutMs } = config.approvals;
  const port = createDeskPhone({ ...parts, ...mediaFormats(config), desk: (name) => config.desks[name], language, timeoutMs });
  return new ApprovalDesk({
    log: (event) => audit.append(event),
    nowMs: () => clock.monoUs() / 1000,
    logger,
    ...(desks.length === 0
      ? {}
      : { phone: { port, desks, text: (summary, desk) => SPOKEN[config.desks[desk]?.language ?? language](summary) } }),
  });
}

const MAX_CORRECTION_CHARS = 2000;

/** New requests are told live: `approval.requested` in /v1/events. */
export function approvalActs(
  desk: ApprovalDesk,
  corrected: TakeCorrection,
): Readonly<Record<'/v1/approvals/list' | '/v1/approvals/decide', Act>> {
  const text = (input: Readonly<Record<string, unknown>>, key: string, chars = 200): string => {
    const value = input[key];
    if (typeof value === 'string' && value !== '' && value.length <= chars) return value;
    throw new ParleyError('CONFIG_INVALID', `'${key}' is missing, expected a text of at most ${chars} characters`);
  };
  return {
    '/v1/approvals/list': () => Promise.resolve({ approvals: desk.open }),
    '/v1/approvals/decide': async (input) => {
      const decision = text(input, 'decision');
      if (decision !== 'approved' && decision !== 'denied')
        throw new ParleyError('CONFIG_INVALID', `'decision' is '${decision}', expected approved or denied`);
      const correction = input['correction'] === undefined ? {} : { correction: text(input, 'correction', MAX_CORRECTION_CHARS) };
      const about = { via: 'console', by: text(input, 'by'), ...correction } as const;
      const decided = await desk.decide(text(input, 'call'), text(input, 'id'), decision, about);
      if (about.correction === undefined) return { done: true };
      const suggestion = await corrected({ ...decided, decision, correction: about.correction });
      return { done: true, suggestion };
    },
  };
}
