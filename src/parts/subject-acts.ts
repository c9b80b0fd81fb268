/** What may be done for a person whose number is given. Each act is in the chain before it is done. */
import {
  allowCall,
  type AsDpo,
  consentsOfSubject,
  correctSubject,
  eraseSubject,
  exportRecordings,
  exportSubject,
  holdSubject,
  type ReadFor,
  type Restrictions,
  restrictSubject,
  type SubjectDesk,
} from '../audit/index.ts';
import type { Config } from '../config/index.ts';
import { ParleyError } from '../contracts/index.ts';
import type { Act } from '../http/index.ts';
import { asRole } from '../store/index.ts';
import { shelveRestricted, sweepErased } from './kept-files.ts';
import { loginOf } from './log.ts';

export type SubjectAct = 'export' | 'erase' | 'correct' | 'restrict' | 'consents' | 'hold';

const MAX_TEXT = { number: 200, reason: 200, reference: 200, call: 40, correction: 10_000 } as const;

/** Errors of each: CONFIG_INVALID for what is missing; STORE_DOWN, STORE_REFUSED, SPOOL_FAILED. */
export function subjectActs(
  config: Config,
  desk: SubjectDesk,
  restrictions: Pick<Restrictions, 'refresh'> | null,
): Readonly<Record<`/v1/subjects/${SubjectAct}` | '/v1/content/read', Act>> {
  const { recordings } = config.privacy;
  const asDpo: AsDpo = async (sql, values) => {
    const connection = await loginOf(config, desk.store, 'dpo');
    if (connection !== null) return asRole(connection, sql, values);
    throw new ParleyError('CONFIG_INVALID', `${config.file}: store.dpoUrlFile is missing, expected it for holds and restrictions`);
  };
  return {
    '/v1/subjects/export': async (input) => {
      const reading = readFor(input);
      const kept = await exportRecordings(desk, recordings, text(input, 'number'), reading);
      const audio = kept.map(({ wav, ...about }) => ({ ...about, mediatype: 'audio/x-wav', body: wav.toString('base64url') }));
      return { ...(await exportSubject(desk, text(input, 'number'), reading)), recordings: audio };
    },
    '/v1/subjects/erase': async (input) => {
      const erasure = await eraseSubject(desk, text(input, 'number'), text(input, 'reason'));
      await sweepErased(config, desk.store);
      return erasure;
    },
    '/v1/subjects/correct': (input) =>
      correctSubject(desk, text(input, 'number'), text(input, 'correction'), input['call'] === undefined ? undefined : text(input, 'call')),
    '/v1/subjects/restrict': async (input) => {
      const done = await restrictSubject(desk, text(input, 'number'), input['lift'] !== true, asDpo);
      await restrictions?.refresh();
      await shelveRestricted(config, desk.store);
      return done;
    },
    '/v1/subjects/consents': (input) => consentsOfSubject(desk, text(input, 'number')),
    '/v1/subjects/hold': (input) =>
      holdSubject(
        desk,
        text(input, 'number'),
        input['lift'] === true ? { held: false } : { held: true, reference: text(input, 'reference') },
        asDpo,
      ),
    '/v1/content/read': async (input) => allowCall(desk, callId(input), 'replay'),
  };
}

function readFor(input: Readonly<Record<string, unknown>>): ReadFor {
  const reader = input['for'] ?? 'person';
  if (reader === 'person' || reader === 'work') return { for: reader };
  if (reader === 'claims') return { for: reader, reference: text(input, 'reference') };
  throw new ParleyError('CONFIG_INVALID', "'for' is no reader of content, expected person, claims or work");
}

function callId(input: Readonly<Record<string, unknown>>): string {
  const id = text(input, 'call');
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id;
  throw new ParleyError('CONFIG_INVALID', `'call' is ${id}, expected the id of a call`);
}

function text(input: Readonly<Record<string, unknown>>, key: keyof typeof MAX_TEXT): string {
  const value = input[key];
  if (typeof value === 'string' && value !== '' && value.length <= MAX_TEXT[key]) return value;
  throw new ParleyError('CONFIG_INVALID', `'${key}' is missing, expected a text of at most ${MAX_TEXT[key]} characters`);
}
