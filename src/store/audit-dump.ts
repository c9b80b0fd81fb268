import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { ParleyError } from '../contracts/index.ts';
import type { PayloadCheckRow } from './audit-read.ts';
import type { CheckpointRow, EventRow, StreamRow } from './rows.ts';

/** What a reading of a dump hands out; as AuditVisitor, but events come as rows. */
export interface DumpVisitor {
  stream(row: StreamRow): void;
  checkpoint(row: CheckpointRow): void;
  excuse(row: { type: string; subjectId: string | null; body: string }): void;
  payload(row: PayloadCheckRow | null): void;
  event(row: EventRow): void;
}

type Row = ReadonlyMap<string, string | null>;

const EXCUSES = new Set(['subject.erased', 'retention.dropped', 'retention.expired']);
const COPY = /^COPY (?:audit|vault)\.("?)([a-z0-9_]+)\1 \(([^)]*)\) FROM stdin;$/;
const EVENTS = /^event(_\d{4}_\d\d)?$/;

/**
 * Reads a plain pg_dump (may be gzipped) without a database, twice: tables come in any order, and events need what comes after
 * them. Memory grows with streams, checkpoints and payloads, not with events. Errors: CONFIG_INVALID.
 */
export async function readDump(path: string, visitor: DumpVisitor): Promise<void> {
  const gzip = await checkKind(path);
  let payloads: Map<string, Buffer> | undefined;
  const tables = new Set<string>();
  const streams: StreamRow[] = [];
  await eachRow(path, gzip, {
    table: (name) => {
      tables.add(name);
      if (name === 'payload') payloads ??= new Map();
      return true;
    },
    row: (table, row) => {
      if (table === 'stream') streams.push(streamRow(row));
      else if (table === 'checkpoint') visitor.checkpoint(checkpointRow(row));
      else if (table === 'payload')
        payloads?.set(`${text(row, 'stream_id')} ${text(row, 'seq')}`, createHash('sha256').update(bytes(row, 'ct')).digest());
      else if (EVENTS.test(table) && EXCUSES.has(text(row, 'type'))) {
        visitor.excuse({ type: text(row, 'type'), subjectId: row.get('subject_id') ?? null, body: text(row, 'body') });
      }
    },
  });
  if (!tables.has('stream')) {
    throw new ParleyError(
      'CONFIG_INVALID',
      `${path} holds no table audit.stream: dump the schemas audit and vault in plain form, with data.`,
      { place: { file: path } },
    );
  }
  for (const row of streams) visitor.stream(row);
  await eachRow(path, gzip, {
    table: (name) => EVENTS.test(name),
    row: (_, row) => {
      const event = eventRow(row);
      visitor.event(event);
      const { streamId, seq, tsUs, subjectId, payloadSha256 } = event;
      if (payloads === undefined || payloadSha256 === null) return;
      visitor.payload({ streamId, seq, tsUs, subjectId, payloadSha256, stored: payloads.get(`${streamId} ${String(seq)}`) ?? null });
    },
  });
  if (payloads === undefined) visitor.payload(null);
}

/** True for gzip. */
async function checkKind(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new ParleyError('CONFIG_INVALID', `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}.`, {
      cause: error,
      place: { file: path },
    });
  });
  try {
    const head = Buffer.alloc(5);
    await file.read(head, 0, 5, 0);
    if (head.toString('latin1') === 'PGDMP') {
      throw new ParleyError('CONFIG_INVALID', `${path} is a dump in custom form; make it plain with: pg_restore -f plain.sql ${path}`, {
        place: { file: path },
      });
    }
    return head[0] === 0x1f && head[1] === 0x8b;
  } finally {
    await file.close();
  }
}

/** Of pg_dump and pg_restore. */
const FIRST_LINE = '-- PostgreSQL database dump';
const LAST_LINE = '-- PostgreSQL database dump complete';

interface RowVisitor {
  /** A table begins; false skips its rows. */
  table(name: string): boolean;
  row(table: string, row: Row): void;
}

async function eachRow(path: string, gzip: boolean, visitor: RowVisitor): Promise<void> {
  let table: { readonly name: string; readonly columns: readonly string[]; readonly wanted: boolean } | null = null;
  // What pg_dump begins it ends: without its last line whole tables may be missing.
  let cut = false;
  for await (const line of lines(path, gzip)) {
    if (line === FIRST_LINE) cut = true;
    else if (line === LAST_LINE) cut = false;
    else if (table === null) {
      const start = COPY.exec(line);
      const name = start?.[2];
      if (name !== undefined) table = { name, columns: (start?.[3] ?? '').split(', ').map(unquote), wanted: visitor.table(name) };
    } else if (line === '\\.') table = null;
    else if (table.wanted) {
      const values = line.split('\t').map(unescape);
      visitor.row(table.name, new Map(table.columns.map((column, at) => [column, values[at] ?? null])));
    }
  }
  if (table !== null || cut) {
    const where = table === null ? `before the line "${LAST_LINE}"` : `inside the table ${table.name}`;
    throw new ParleyError('CONFIG_INVALID', `${path} ends ${where}: the dump is not complete.`, { place: { file: path } });
  }
}

async function* lines(path: string, gzip: boolean): AsyncGenerator<string> {
  const file = createReadStream(path, { highWaterMark: 1024 * 1024 });
  const source = gzip ? file.pipe(createGunzip()) : file;
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of source) {
      const parts = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n');
      rest = parts.pop() ?? '';
      yield* parts;
    }
  } catch (error) {
    if (error instanceof ParleyError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    const message = `${path} cannot be read to its end (${why}): the file is damaged or cut off; take it again.`;
    throw new ParleyError('CONFIG_INVALID', message, { cause: error, place: { file: path } });
  }
  if (rest !== '') yield rest;
}

const unquote = (name: string): string => name.replaceAll('"', '');

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** COPY's text form (Postgres manual, "COPY", File Formats). */
function unescape(value: string): string | null {
  if (value === '\\N') return null;
  return value.includes('\\') ? value.replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter) : value;
}

function text(row: Row, column: string): string {
  const value = row.get(column);
  if (value === undefined || value === null)
    throw new ParleyError('CONFIG_INVALID', `The dump lacks a value for ${column}; it is not of a Parley database.`);
  return value;
}

/** A value that Postgres cannot have written: not a finding of the chain, which cannot even be read there. */
function shaped(row: Row, column: string, shape: RegExp): string {
  const value = text(row, column);
  if (shape.test(value)) return value;
  const place = ['stream_id', 'seq'].map((name) => row.get(name) ?? '?').join(' ');
  throw new ParleyError(
    'CONFIG_INVALID',
    `The dump is damaged: ${column} of the row ${place.slice(0, 80)} is nothing that Postgres writes; take it again.`,
  );
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const uuid = (row: Row, column: string): string => shaped(row, column, UUID);
const maybe = <T>(row: Row, column: string, read: (row: Row, column: string) => T): T | null =>
  row.get(column) == null ? null : read(row, column);
const count = (row: Row, column: string): number => Number(shaped(row, column, /^-?\d{1,18}$/));
const day = (row: Row, column: string): string => shaped(row, column, /^\d{4}-\d\d-\d\d$/);
/** bytea in hex form: \\x and digits. */
const bytes = (row: Row, column: string): Buffer => Buffer.from(shaped(row, column, /^\\x([0-9a-f]{2})*$/).slice(2), 'hex');

function streamRow(row: Row): StreamRow {
  return {
    ...{
      streamId: uuid(row, 'stream_id'),
      writer: text(row, 'writer'),
      ordinal: count(row, 'ordinal'),
      day: day(row, 'day'),
      prevLastSeq: count(row, 'prev_last_seq'),
    },
    ...{ prevLastHash: bytes(row, 'prev_last_hash'), genesis: bytes(row, 'genesis'), sig: bytes(row, 'sig') },
  };
}

function checkpointRow(row: Row): CheckpointRow {
  return {
    streamId: uuid(row, 'stream_id'),
    seq: count(row, 'seq'),
    hash: bytes(row, 'hash'),
    tsUs: count(row, 'ts_us'),
    note: text(row, 'note'),
  };
}

function eventRow(row: Row): EventRow {
  return {
    ...{
      day: day(row, 'day'),
      streamId: uuid(row, 'stream_id'),
      seq: count(row, 'seq'),
      tsUs: count(row, 'ts_us'),
      monoUs: count(row, 'mono_us'),
    },
    ...{ callId: maybe(row, 'call_id', uuid), subjectId: maybe(row, 'subject_id', uuid), type: text(row, 'type'), body: text(row, 'body') },
    ...{ payloadSha256: maybe(row, 'payload_sha256', bytes), hash: bytes(row, 'hash') },
  };
}
