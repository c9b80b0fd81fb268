/**
 * A gateway that only logs: `node --import tsx audit-writer.ts FOLDER [URL]`. Prints the number of each event when it is on disk, and
 * goes on until it is killed. Without a URL there is no Postgres.
 */
import { createAudit } from '../../src/audit/index.ts';
import { createStore } from '../../src/store/index.ts';
import { memoryStore, realClock, stepEvent } from './audit.ts';
import { keepingLogger } from './quiet-log.ts';

const [folder = '', url] = process.argv.slice(2);
const log = keepingLogger();
const store = url === undefined ? memoryStore('down') : createStore({ connectionString: url, log });
await store.start();
const sizes = { reservedBytes: 16 * 1024, segmentBytes: 64 * 1024, keepShippedBytes: 256 * 1024 };
const audit = createAudit({ folder, gateway: 'victim', store, clock: realClock, log, ...sizes });
await audit.start();
let next = Number(process.env['FIRST'] ?? '1');
async function lane(): Promise<void> {
  for (;;) {
    const number = next++;
    try {
      await audit.append(stepEvent(`n${String(number)}`));
      process.stdout.write(`${String(number)}\n`);
    } catch (error) {
      process.stdout.write(`refused ${(error as { code?: string }).code ?? String(error)}\n`);
      await new Promise((wake) => setTimeout(wake, 20));
    }
  }
}
await Promise.all(Array.from({ length: 8 }, lane));
