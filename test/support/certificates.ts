/** Certificates for tests of TLS: an authority, and one for localhost signed by it (X.509 v3, RFC 5280, ECDSA P-256), without any program. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface TestAuthority extends Certificate {
  issue(name: string): Certificate;
}

const der = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = body.length < 128 ? [body.length] : body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));
const COMMON_NAME = oid('550403');
const BASIC_CONSTRAINTS = oid('551d13');
const ALT_NAME = oid('551d11');

const nameOf = (text: string): Buffer => sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(text)))));
const time = (days: number): Buffer => {
  const text = new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return der(0x18, Buffer.from(`${text}Z`));
};

function certificate(subject: string, issuer: string, publicKey: KeyObject, signer: KeyObject, extensions: readonly Buffer[]): string {
  const serial = randomBytes(8);
  serial[0] = 0x40;
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    ...[der(0x02, serial), ECDSA_SHA256, nameOf(issuer), sequence(time(-1), time(30)), nameOf(subject)],
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const whole = sequence(body, ECDSA_SHA256, der(0x03, Buffer.from([0]), sign('sha256', body, signer)));
  return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replace(/(.{64})(?=.)/g, '$1\n')}\n-----END CERTIFICATE-----\n`;
}

const pair = (): { publicKey: KeyObject; privateKey: KeyObject } => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string;

export function testAuthority(): TestAuthority {
  const own = pair();
  const isAuthority = sequence(BASIC_CONSTRAINTS, der(0x01, Buffer.from([0xff])), der(0x04, sequence(der(0x01, Buffer.from([0xff])))));
  return {
    cert: certificate('Test Authority', 'Test Authority', own.publicKey, own.privateKey, [isAuthority]),
    key: pem(own.privateKey),
    issue: (name) => {
      const issued = pair();
      const forName = sequence(ALT_NAME, der(0x04, sequence(der(0x82, Buffer.from(name)))));
      return { cert: certificate(name, 'Test Authority', issued.publicKey, own.privateKey, [forName]), key: pem(issued.privateKey) };
    },
  };
}
