/** `parley audit rotate-key` and `parley audit replay-erasures`: for a gateway that does not run; it keeps its log to itself. */
import { type Audit, createAudit, replayErasures, rotateSigner } from '../audit/index.ts';
import { type Config, loadConfig } from '../config/index.ts';
import { silentLogger, systemClock } from '../observability/index.ts';
import { auditOptions, keysFolder, storeOptions } from '../parts/index.ts';
import { createStore, type Store } from '../store/index.ts';
import { EXIT } from './exit.ts';

export async function auditRotateKey(options: { config: string }): Promise<number> {
  const config = await loadConfig(options.config);
  const { note } = await rotateSigner(keysFolder(config), systemClock.wallUs() / 1000, (body) =>
    withLog(config, async ({ audit }) => {
      await audit.append({ type: 'key.rotated', callId: null, body });
    }),
  );
  console.log(note);
  console.error('give this note to the auditor, who keeps it with the first public key: parley audit verify --pubkey KEY NOTE');
  return EXIT.ok;
}

export async function auditReplayErasures(options: { config: string }): Promise<number> {
  const config = await loadConfig(options.config);
  const again = await withLog(config, (parts) => replayErasures({ ...parts, clock: systemClock, keysFolder: keysFolder(config) }));
  console.log(
    again === 0 ? 'nobody who was erased is in the database' : `${again} erased records were in the database and are erased again`,
  );
  return EXIT.ok;
}

/** Errors: SPOOL_FAILED while a gateway runs on this spool. */
async function withLog<T>(config: Config, work: (parts: { audit: Audit; store: Store }) => Promise<T>): Promise<T> {
  const store = createStore(await storeOptions(config, silentLogger));
  const audit = createAudit({ ...auditOptions(config), store, clock: systemClock, log: silentLogger });
  try {
    await store.start();
    await audit.start();
    return await work({ audit, store });
  } finally {
    await audit.stop();
    await store.stop();
  }
}
