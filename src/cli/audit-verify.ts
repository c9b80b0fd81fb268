/** `parley audit verify`: checks the log's chain, seals and anchors, and reports every finding with its place. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { formatReport, verifyAudit, type VerifyReport } from '../audit/index.ts';
import { type Config, loadConfig } from '../config/index.ts';
import { ParleyError } from '../contracts/index.ts';
import { silentLogger } from '../observability/index.ts';
import { storeOptions } from '../parts.ts';
import { createStore } from '../store/index.ts';
import { EXIT } from './exit.ts';

export interface VerifyCommand {
  readonly config: string;
  readonly db?: string;
  readonly anchors?: readonly string[];
  readonly pubkey?: readonly string[];
}

export async function auditVerify(options: VerifyCommand): Promise<number> {
  const report =
    options.db === undefined
      ? await verifyConfigured(await loadConfig(options.config), options)
      : await verifyAudit({ connection: options.db, anchors: options.anchors ?? [], publicKeys: options.pubkey ?? [] });
  console.log(formatReport(report));
  return report.findings.length === 0 ? EXIT.ok : EXIT.failed;
}

/** The database of a configuration, with this gateway's own keys and anchors unless others are named. */
export async function verifyConfigured(config: Config, options: Pick<VerifyCommand, 'anchors' | 'pubkey'> = {}): Promise<VerifyReport> {
  const { spoolDirectory, anchorFile } = config.audit;
  const own = (file: string): string[] => (existsSync(file) ? [file] : []);
  const anchors = options.anchors ?? own(anchorFile ?? join(spoolDirectory, 'anchors.txt'));
  const publicKeys = options.pubkey ?? own(join(spoolDirectory, 'keys/signing.pub.pem'));
  const stored = await storeOptions(config, silentLogger);
  if ('connectionString' in stored) return verifyAudit({ connection: stored.connectionString, anchors, publicKeys });
  // The embedded server may be running already; then it is used and left alone.
  const store = createStore(stored);
  try {
    await store.start();
    const connection = await store.connectionFor('auditor');
    if (connection === null) throw new ParleyError('STORE_DOWN', `the embedded Postgres cannot be reached: ${store.why}`);
    return await verifyAudit({ connection, anchors, publicKeys });
  } finally {
    await store.stop();
  }
}
