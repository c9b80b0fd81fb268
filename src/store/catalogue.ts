import { readFile } from 'node:fs/promises';
import type pg from 'pg';

/**
 * What the schemas are made of, one line per thing, without anything that differs between versions of Postgres (15 to 18)
 * or between months (partitions are judged by what each must have). Compared with catalogue.txt, which the migrations make.
 */
const LINES = `
WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('audit', 'vault', 'ops', 'knowledge')),
rel AS (
  SELECT c.oid, c.relname, c.relkind, c.relowner, c.relacl, o.nspname, o.nspname || '.' || c.relname AS name
    FROM pg_class c JOIN ours o ON o.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
), part AS (
  SELECT c.oid, o.nspname || '.' || c.relname AS name, c.relacl, c.relowner FROM pg_class c JOIN ours o ON o.oid = c.relnamespace
   WHERE c.relkind = 'r' AND c.relispartition
)
SELECT 'schema ' || o.nspname || ' owner ' || pg_get_userbyid(n.nspowner) AS line FROM ours o JOIN pg_namespace n ON n.oid = o.oid
UNION ALL SELECT 'relation ' || r.name || ' kind ' || r.relkind::text || ' owner ' || pg_get_userbyid(r.relowner) FROM rel r
UNION ALL SELECT 'view ' || r.name || ' ' || md5(regexp_replace(pg_get_viewdef(r.oid), '([a-z_]+[.])|[[:space:]]+', '', 'g')) FROM rel r WHERE r.relkind = 'v'
UNION ALL SELECT 'column ' || r.name || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
  || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
  FROM rel r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
UNION ALL SELECT 'constraint ' || r.name || ' ' || pg_get_constraintdef(k.oid) FROM rel r JOIN pg_constraint k ON k.conrelid = r.oid WHERE k.contype IN ('p', 'u', 'c', 'f')
UNION ALL SELECT 'index ' || replace(pg_get_indexdef(i.indexrelid), ' ONLY ', ' ') || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END
  FROM rel r JOIN pg_index i ON i.indrelid = r.oid
UNION ALL SELECT 'trigger ' || r.name || ' ' || md5(pg_get_triggerdef(t.oid)) || ' ' || t.tgname || ' ' || t.tgenabled::text
  FROM rel r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
UNION ALL SELECT 'function ' || o.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ') ' || md5(p.prosrc)
  || ' ' || p.provolatile::text || CASE WHEN p.prosecdef THEN ' definer' ELSE '' END || coalesce(' ' || array_to_string(p.proconfig, ' '), '') || ' owner ' || pg_get_userbyid(p.proowner)
  FROM pg_proc p JOIN ours o ON o.oid = p.pronamespace
UNION ALL SELECT 'right ' || r.name || ' ' || pg_get_userbyid(g.grantee) || ' ' || g.privilege_type
  FROM rel r, aclexplode(r.relacl) g WHERE g.grantee <> r.relowner AND g.grantee <> 0
UNION ALL SELECT 'right ' || r.name || ' PUBLIC ' || g.privilege_type FROM rel r, aclexplode(r.relacl) g WHERE g.grantee = 0
UNION ALL SELECT 'right ' || o.nspname || '.' || p.proname || ' ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END || ' ' || g.privilege_type
  FROM pg_proc p JOIN ours o ON o.oid = p.pronamespace, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g WHERE g.grantee <> p.proowner
UNION ALL SELECT 'right ' || o.nspname || ' ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END || ' ' || g.privilege_type
  FROM ours o JOIN pg_namespace n ON n.oid = o.oid, aclexplode(n.nspacl) g WHERE g.grantee <> n.nspowner
UNION ALL SELECT 'right ' || p.name || ' ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END || ' ' || g.privilege_type
  FROM part p, aclexplode(p.relacl) g WHERE g.grantee <> p.relowner
UNION ALL SELECT 'partition ' || p.name || ' lacks its enabled triggers' FROM part p
  WHERE (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = p.oid AND t.tgenabled = 'O' AND t.tgname IN ('refuse_change', 'refuse_truncate')) < 2
ORDER BY 1`;

const EXPECTED = new URL('../../src/store/migrations/catalogue.txt', import.meta.url);

export async function readCatalogue(client: pg.ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ line: string }>(LINES);
  return rows.map((row) => row.line).sort();
}

export interface Drift {
  /** Things that the migrations make and that are not there as they made them. */
  readonly missing: readonly string[];
  /** Things that nobody asked for; an index of the admin's own is among the harmless ones. */
  readonly extra: readonly string[];
}

export async function findDrift(client: pg.ClientBase): Promise<Drift> {
  const expected = (await readFile(EXPECTED, 'utf8')).split('\n').filter((line) => line !== '');
  const live = new Set(await readCatalogue(client));
  const wanted = new Set(expected);
  return { missing: expected.filter((line) => !live.has(line)), extra: [...live].filter((line) => !wanted.has(line)) };
}
