/** Owns an embedded server until it is ended: `node --import tsx postgres-owner.ts DATA_DIR`. */
import { startEmbedded } from '../../src/store/index.ts';

const server = await startEmbedded({ dataDir: process.argv[2] ?? '', settings: { fsync: 'off', shared_buffers: '16MB' } });
process.stdout.write(`owner ${String(server.owner)}\n`);
process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)));
setInterval(() => undefined, 1000);
