import { readFile } from 'node:fs/promises';
import { ParleyError } from '../contracts/index.ts';
import { callsByPbxId, type Store } from '../store/index.ts';
import type { Finding } from './findings.ts';

/** One call as the PBX recorded it. */
export interface CallRecord {
  /** Asterisk's uniqueid: what `call.incoming` names as pbxId. */
  readonly pbxId: string;
  /** Microseconds since 1970, null when the record has none. */
  readonly endUs: number | null;
}

export interface Reconciliation {
  readonly records: number;
  readonly matched: number;
  readonly findings: readonly Finding[];
}

/**
 * The one check that does not trust the gateway's own host: each call in the PBX's records must stand in the chain, from
 * `call.incoming` to exactly one `call.ended`. Errors: STORE_DOWN, STORE_REFUSED.
 */
export async function reconcileCalls(store: Pick<Store, 'use'>, records: readonly CallRecord[]): Promise<Reconciliation> {
  const findings: Finding[] = [];
  let matched = 0;
  for (let at = 0; at < records.length; at += 1000) {
    const page = records.slice(at, at + 1000);
    const calls = await store.use((client) =>
      callsByPbxId(
        client,
        page.map((record) => record.pbxId),
      ),
    );
    for (const { pbxId } of page) {
      const call = calls.get(pbxId);
      const place = call === undefined ? { streamId: null, seq: null } : { streamId: call.streamId, seq: call.seq };
      if (call === undefined) findings.push({ kind: 'call-unlogged', ...place, what: `the PBX had call ${pbxId}, the chain has not` });
      else if (call.endings === 0)
        findings.push({ kind: 'call-unended', ...place, what: `call ${pbxId} is over for the PBX, not for the chain` });
      else if (call.endings > 1) findings.push({ kind: 'call-ended-twice', ...place, what: `call ${pbxId} ends ${call.endings} times` });
      else matched += 1;
    }
  }
  return { records: records.length, matched, findings };
}

/** Columns of Asterisk's cdr_csv (Master.csv) with `loguniqueid=yes` and `loguserfield=yes`. */
const CDR = { lastApp: 7, lastData: 8, end: 11, uniqueId: 16, userField: 17 } as const;

/**
 * The calls that Asterisk's CSV call records name as ours: the last application was our Stasis, or the dialplan said so with
 * Set(CDR(userfield)=parley), which also counts when the call went on elsewhere. Errors: CONFIG_INVALID when ids are missing.
 */
export async function readAsteriskCdr(path: string, application = 'parley'): Promise<readonly CallRecord[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new ParleyError('CONFIG_INVALID', `${path} cannot be read: ${why}.`, { cause: error, place: { file: path } });
  });
  return parseCsv(text).flatMap((fields, index) => {
    const stasis = fields[CDR.lastApp] === 'Stasis' && fields[CDR.lastData]?.split(',')[0] === application;
    if (!stasis && fields[CDR.userField] !== application) return [];
    const pbxId = fields[CDR.uniqueId] ?? '';
    if (pbxId === '') {
      const place = { file: path, line: index + 1 };
      throw new ParleyError('CONFIG_INVALID', `${path} has no unique id in record ${index + 1}: set loguniqueid=yes in cdr.conf.`, {
        place,
      });
    }
    const end = Date.parse(`${(fields[CDR.end] ?? '').replace(' ', 'T')}Z`);
    return [{ pbxId, endUs: Number.isNaN(end) ? null : end * 1000 }];
  });
}

/** RFC 4180: quoted fields, doubled quotes. A foreign file: whatever it holds, this ends. */
export function parseCsv(text: string): readonly (readonly string[])[] {
  const records: string[][] = [];
  let record: string[] = [];
  let field = '';
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? '';
    if (quoted) {
      if (letter !== '"') field += letter;
      else if (text[at + 1] === '"') {
        field += '"';
        at += 1;
      } else quoted = false;
    } else if (letter === '"') quoted = true;
    else if (letter === ',' || letter === '\n') {
      record.push(field);
      field = '';
      if (letter === '\n') {
        records.push(record);
        record = [];
      }
    } else if (letter !== '\r') field += letter;
  }
  if (field !== '' || record.length > 0) records.push([...record, field]);
  return records.filter((fields) => fields.length > 1 || fields[0] !== '');
}
