import { readFile } from 'node:fs/promises';
import { connect, type TLSSocket } from 'node:tls';

export interface SyslogOptions {
  /** Name of the collector: its certificate must be for it. */
  readonly host: string;
  readonly port: number;
  /** Certificate of the authority, PEM: only what it signed is believed. */
  readonly caFile: string;
  readonly certFile?: string | null;
  readonly keyFile?: string | null;
}

/** Facility 13 (log audit), severity 5 (notice): RFC 5424, 6.2.1. */
const PRIORITY = 13 * 8 + 5;
const LIMIT_MS = 10_000;

/** One message of RFC 5424: version 1, no structured data, UTF-8 without a line feed. */
export function syslogMessage(gateway: string, text: string, at: Date): string {
  return `<${PRIORITY}>1 ${at.toISOString()} ${gateway} parley ${process.pid} checkpoint - ${text}`;
}

/**
 * Sends one line over TLS with octet counting (RFC 5425, 4.3). A connection of its own each time: a checkpoint comes once a minute, and a
 * collector that was restarted would swallow what is written to a dead connection. Resolves when the collector has closed its side after
 * ours, so that a line that never arrived is an error. Errors: those of Node; the certificate is always checked.
 */
export async function sendSyslog(options: SyslogOptions, gateway: string, line: string, at: Date = new Date()): Promise<void> {
  const read = (path: string | null | undefined): Promise<Buffer | undefined> =>
    path === null || path === undefined ? Promise.resolve(undefined) : readFile(path);
  const [ca, cert, key] = await Promise.all([read(options.caFile), read(options.certFile), read(options.keyFile)]);
  const message = Buffer.from(syslogMessage(gateway, line, at));
  const { host, port } = options;
  await new Promise<void>((resolve, reject) => {
    const socket: TLSSocket = connect({
      ...(ca === undefined ? {} : { ca }),
      ...{ host, port, minVersion: 'TLSv1.2', timeout: LIMIT_MS },
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(/^[\d.:]+$/.test(host) ? {} : { servername: host }),
    });
    const late = setTimeout(() => socket.destroy(new Error(`syslog to ${host}:${port}: no answer within ${LIMIT_MS} ms`)), LIMIT_MS);
    socket.once('secureConnect', () => socket.end(Buffer.concat([Buffer.from(`${message.length} `), message])));
    socket.once('error', (error: Error) => reject(new Error(`syslog to ${host}:${port}: ${error.message}`)));
    socket.once('close', (failed) => {
      clearTimeout(late);
      if (!failed) resolve();
    });
    socket.resume();
  });
}
