import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';
import { ParleyError } from '../contracts/index.ts';

export interface Migration {
  readonly id: number;
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
}

export interface AppliedMigration {
  readonly id: number;
  readonly sha256: string;
}

/** The SQL ships as source: this path holds from src/ and from dist/ alike. */
const FOLDER = new URL('../../src/store/migrations/', import.meta.url);
const NAME = /^(\d{3})_[a-z0-9_]+\.sql$/;

export async function readMigrations(folder: URL = FOLDER): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, folder), 'utf8');
      return { id: Number(NAME.exec(name)?.[1]), name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/** What still has to run. Errors: STORE_DRIFT when the database has other migrations than we do. */
export function pending(ours: readonly Migration[], applied: readonly AppliedMigration[]): readonly Migration[] {
  for (const done of applied) {
    const same = ours.find((migration) => migration.id === done.id);
    if (same === undefined) {
      throw new ParleyError(
        'STORE_DRIFT',
        `The database has migration ${done.id}, which this version does not know; use the newer version.`,
      );
    }
    if (same.sha256 !== done.sha256) {
      throw new ParleyError(
        'STORE_DRIFT',
        `Migration ${same.name} was changed after it ran (sha256 ${same.sha256.slice(0, 12)}, ran as ${done.sha256.slice(0, 12)}).`,
      );
    }
  }
  return ours.filter((migration) => !applied.some((done) => done.id === migration.id));
}

export async function appliedMigrations(client: pg.ClientBase): Promise<readonly AppliedMigration[]> {
  const { rows } = await client.query<{ known: boolean }>(`SELECT to_regclass('parley.migration') IS NOT NULL AS known`);
  if (rows[0]?.known !== true) return [];
  return (await client.query<AppliedMigration>('SELECT id, sha256 FROM parley.migration ORDER BY id')).rows;
}

/** Runs what is missing, each file in a transaction of its own; several processes may try at once. Returns the names that ran. */
export async function migrate(client: pg.ClientBase, folder?: URL): Promise<readonly string[]> {
  const ours = await readMigrations(folder);
  if (pending(ours, await appliedMigrations(client)).length === 0) return [];
  await client.query(`SELECT pg_advisory_lock(hashtext('parley.migrate'))`);
  try {
    await client.query(`CREATE SCHEMA IF NOT EXISTS parley;
      CREATE TABLE IF NOT EXISTS parley.migration (
        id integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp());
      GRANT USAGE ON SCHEMA parley TO PUBLIC;
      GRANT SELECT ON parley.migration TO PUBLIC;`);
    const todo = pending(ours, await appliedMigrations(client));
    for (const migration of todo) await apply(client, migration);
    return todo.map((migration) => migration.name);
  } finally {
    await client.query(`SELECT pg_advisory_unlock(hashtext('parley.migrate'))`);
  }
}

async function apply(client: pg.ClientBase, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query('INSERT INTO parley.migration (id, name, sha256) VALUES ($1, $2, $3)', [
      migration.id,
      migration.name,
      migration.sha256,
    ]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    const why = error instanceof Error ? error.message : String(error);
    throw new ParleyError('STORE_REFUSED', `Migration ${migration.name} failed: ${why}; run it as an admin of the database.`, {
      cause: error,
    });
  }
}
