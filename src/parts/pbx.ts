/** The PBX in front: the operator's own, or a private one. */
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { type Config, readSecret } from '../config/index.ts';
import type { Logger, PbxDriver } from '../contracts/index.ts';
import { createAsterisk, type PrivateAsteriskOptions, startPrivateAsterisk } from '../telephony/index.ts';

export interface Pbx {
  readonly driver: PbxDriver;
  /** Where phones reach a private Asterisk. */
  readonly sip: { readonly host: string; readonly port: number } | null;
  stop(): Promise<void>;
}

/** The PBX of the operator, or a private one. Errors: PBX_FAILED, PORT_IN_USE, CONFIG_INVALID. */
export async function createPbx(config: Config, logger: Logger): Promise<Pbx> {
  const { app, user, url, passwordFile, leaseSeconds } = config.pbx;
  if (!config.pbx.private) {
    const password = passwordFile === null ? '' : await readSecret(passwordFile);
    const driver = createAsterisk({ url, app, user, password, leaseSeconds, logger });
    return { driver, sip: null, stop: () => Promise.resolve() };
  }
  const own = await startPrivateAsterisk(await privateAsterisk(config));
  if (own.before !== 'none')
    logger.warn('the process before this one died, and the calls on its private asterisk are over', { asterisk: own.before });
  logger.info('private asterisk is up', { version: own.version, sipPort: own.sipPort });
  const wanted = { stop: false };
  void own.exited.then(() => {
    if (!wanted.stop) logger.error('the private asterisk has ended by itself; restart Parley', { log: own.logFile });
  });
  const reached = { url: own.ariUrl, user: own.ariUser, password: own.ariPassword };
  const driver = createAsterisk({ ...reached, app, leaseSeconds, logger });
  return { driver, sip: { host: own.sipHost, port: own.sipPort }, stop: () => ((wanted.stop = true), own.stop()) };
}

async function privateAsterisk(config: Config): Promise<PrivateAsteriskOptions> {
  return {
    runDir: join(dirname(config.audit.spoolDirectory), 'asterisk-run'),
    ariPort: await freePort(),
    sipPort: config.pbx.sipPort,
    rtpPortMin: config.pbx.rtpPorts.min,
    rtpPortMax: config.pbx.rtpPorts.max,
  };
}

/** A TCP port of loopback that nobody listens on at this moment. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
