import { readFile } from 'node:fs/promises';
import { ParleyError } from '../contracts/index.ts';
import { readAudit, readDump } from '../store/index.ts';
import { formatReport, type VerifyReport } from './findings.ts';
import { readAnchors } from './note.ts';
import { readPublicKeys } from './rotation.ts';
import { fromRow, PackedEvents } from './stored-event.ts';
import { Verifier } from './verifier.ts';

export { formatReport };

type Connection = Parameters<typeof readAudit>[0];

export interface VerifyOptions {
  /** A connection string or the driver's settings. The login auditor sees all that is needed. */
  readonly connection: Connection;
  /** Files of checkpoints that were kept outside the database. */
  readonly anchors?: readonly string[];
  /** signing.pub.pem or signing.vkey of each gateway, and rotation notes. */
  readonly publicKeys?: readonly string[];
}

/** Checks the whole chain in a database. Needs no gateway. Errors: CONFIG_INVALID, STORE_DOWN, STORE_REFUSED. */
export async function verifyAudit(options: VerifyOptions): Promise<VerifyReport> {
  const verifier = await prepareVerifier(options);
  const packed = new PackedEvents();
  await readAudit(options.connection, {
    stream: (row) => verifier.addStream(row),
    checkpoint: (row) => verifier.addCheckpoint(row),
    excuse: (row) => verifier.addExcuse(row),
    payload: (row) => verifier.addPayload(row),
    event: (bytes) => verifier.addEvent(packed.read(bytes)),
  });
  return verifier.finish();
}

/** Checks a plain pg_dump of the schemas audit and vault: needs neither a database nor a gateway. Errors: CONFIG_INVALID. */
export async function verifyDump(
  options: { readonly dump: string } & Pick<VerifyOptions, 'anchors' | 'publicKeys'>,
): Promise<VerifyReport> {
  const verifier = await prepareVerifier(options);
  await readDump(options.dump, {
    stream: (row) => verifier.addStream(row),
    checkpoint: (row) => verifier.addCheckpoint(row),
    excuse: (row) => verifier.addExcuse(row),
    payload: (row) => verifier.addPayload(row),
    event: (row) => verifier.addEvent(fromRow(row)),
  });
  return verifier.finish();
}

async function prepareVerifier(options: Pick<VerifyOptions, 'anchors' | 'publicKeys'>): Promise<Verifier> {
  const keyFiles = options.publicKeys ?? [];
  const publicKeys = await orInvalid(keyFiles.join(', '), readPublicKeys(keyFiles));
  const texts = await Promise.all((options.anchors ?? []).map((path) => orInvalid(path, readFile(path, 'utf8'))));
  const read = texts.map(readAnchors);
  return new Verifier({ publicKeys, anchors: read.flatMap((r) => r.notes), anchorGarbage: read.flatMap((r) => r.garbage) });
}

async function orInvalid<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ParleyError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ParleyError('CONFIG_INVALID', `${path} cannot be read: ${why}.`, { cause: error, place: { file: path } });
  }
}
