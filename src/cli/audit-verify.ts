/** `parley audit verify`: checks the log's chain, seals and anchors, and reports every finding with its place. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  formatReport,
  ownPublicKeys,
  readAsteriskCdr,
  reconcileCalls,
  verifyAudit,
  verifyDump,
  type VerifyReport,
} from '../audit/index.ts';
import { type Config, loadConfig } from '../config/index.ts';
import { silentLogger } from '../observability/index.ts';
import { storeOptions } from '../parts/index.ts';
import { createStore } from '../store/index.ts';
import { withAuditor } from './auditor.ts';
import { EXIT } from './exit.ts';

export interface VerifyCommand {
  readonly config: string;
  readonly db?: string;
  readonly dump?: string;
  readonly anchors?: readonly string[];
  readonly pubkey?: readonly string[];
}

export async function auditVerify(options: VerifyCommand): Promise<number> {
  const report = await verify(options);
  console.log(formatReport(report));
  return report.findings.length === 0 ? EXIT.ok : EXIT.failed;
}

async function verify(options: VerifyCommand): Promise<VerifyReport> {
  const outside = { anchors: options.anchors ?? [], publicKeys: options.pubkey ?? [] };
  if (options.dump !== undefined) return verifyDump({ dump: options.dump, ...outside });
  if (options.db !== undefined) return verifyAudit({ connection: options.db, ...outside });
  return verifyConfigured(await loadConfig(options.config), options);
}

/** `parley audit reconcile CDR`: does every call that the PBX recorded have its end in the log, and the other way round? */
export async function auditReconcile(cdr: string, options: { config: string }): Promise<number> {
  const config = await loadConfig(options.config);
  const store = createStore(await storeOptions(config, silentLogger));
  try {
    await store.start();
    const result = await reconcileCalls(store, await readAsteriskCdr(cdr, config.pbx.app));
    console.log(`${result.matched} of ${result.records} calls of the PBX stand in the log`);
    for (const finding of result.findings) console.log(JSON.stringify(finding));
    return result.findings.length === 0 ? EXIT.ok : EXIT.failed;
  } finally {
    await store.stop();
  }
}

/** The database of a configuration, with this gateway's own keys and anchors unless others are named. */
export async function verifyConfigured(config: Config, options: Pick<VerifyCommand, 'anchors' | 'pubkey'> = {}): Promise<VerifyReport> {
  const { spoolDirectory, anchorFile } = config.audit;
  const own = (file: string): string[] => (existsSync(file) ? [file] : []);
  const anchors = options.anchors ?? own(anchorFile ?? join(spoolDirectory, 'anchors.txt'));
  const publicKeys = options.pubkey ?? (await ownPublicKeys(join(spoolDirectory, 'keys')));
  return withAuditor(config, (connection) => verifyAudit({ connection, anchors, publicKeys }));
}
