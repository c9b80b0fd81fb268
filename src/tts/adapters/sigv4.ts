/** AWS Signature Version 4 of one request whose path and query need no encoding. Source: AWS IAM guide, "Create a signed request". Pure. */
import { createHash, createHmac } from 'node:crypto';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface SigningScope {
  readonly region: string;
  readonly service: string;
  /** UTC, as in 20150830T123600Z. */
  readonly date: string;
}

export interface PlainRequest {
  readonly method: string;
  readonly path: string;
  /** Names in small letters; `host` and `x-amz-date` included. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** The value of the `authorization` header. */
export function authorization(request: PlainRequest, { region, service, date }: SigningScope, credentials: Credentials): string {
  const names = Object.keys(request.headers).sort();
  const signed = names.join(';');
  const lines = names.map((name) => `${name}:${(request.headers[name] ?? '').trim()}\n`).join('');
  const canonical = [request.method, request.path, '', lines, signed, sha256(request.body)].join('\n');
  const day = date.slice(0, 8);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${credentials.secretAccessKey}`);
  const signature = hmac(key, toSign).toString('hex');
  return `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
}
