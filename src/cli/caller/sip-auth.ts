/** HTTP digest as SIP uses it (RFC 3261 22, RFC 8760): MD5 and SHA-256, qop auth or none. */
import { createHash, randomBytes } from 'node:crypto';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly algorithm: 'MD5' | 'SHA-256';
  readonly qop: boolean;
}

/** The value of Authorization for a challenge, or undefined when we cannot answer it (another scheme or algorithm). */
export function answerChallenge(
  challenge: string,
  request: { method: string; uri: string },
  who: Credentials,
  cnonce = randomBytes(8).toString('hex'),
): string | undefined {
  const asked = parseChallenge(challenge);
  if (asked === undefined) return undefined;
  const hash = (text: string): string =>
    createHash(asked.algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex');
  const a1 = hash(`${who.user}:${asked.realm}:${who.password}`);
  const a2 = hash(`${request.method}:${request.uri}`);
  const nc = '00000001';
  const response = hash(asked.qop ? `${a1}:${asked.nonce}:${nc}:${cnonce}:auth:${a2}` : `${a1}:${asked.nonce}:${a2}`);
  const fields = [
    `username="${who.user}"`,
    `realm="${asked.realm}"`,
    `nonce="${asked.nonce}"`,
    `uri="${request.uri}"`,
    `response="${response}"`,
    `algorithm=${asked.algorithm}`,
  ];
  if (asked.qop) fields.push(`qop=auth`, `nc=${nc}`, `cnonce="${cnonce}"`);
  if (asked.opaque !== undefined) fields.push(`opaque="${asked.opaque}"`);
  return `Digest ${fields.join(', ')}`;
}

function parseChallenge(value: string): Challenge | undefined {
  if (!/^Digest\s/i.test(value)) return undefined;
  const fields = challengeFields(value.slice(7));
  const algorithm = (fields['algorithm'] ?? 'MD5').toUpperCase();
  if (algorithm !== 'MD5' && algorithm !== 'SHA-256') return undefined;
  const nonce = fields['nonce'];
  if (nonce === undefined || fields['realm'] === undefined) return undefined;
  const offered = fields['qop']?.split(',').map((word) => word.trim()) ?? [];
  if (offered.length > 0 && !offered.includes('auth')) return undefined;
  return { realm: fields['realm'], nonce, opaque: fields['opaque'], algorithm, qop: offered.includes('auth') };
}

function challengeFields(text: string): Readonly<Record<string, string>> {
  const pairs = text.matchAll(/([a-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/gi);
  return Object.fromEntries([...pairs].map((match) => [(match[1] ?? '').toLowerCase(), match[2] ?? match[3] ?? '']));
}
