/** multipart/form-data (RFC 7578) with one file. The boundary is random, so that no field can hold it. */
import { randomBytes } from 'node:crypto';

export interface Form {
  readonly contentType: string;
  readonly body: Buffer;
}

/** Field names are ours and plain; values may hold anything. */
export function formOf(file: Buffer, fields: readonly (readonly [name: string, value: string])[]): Form {
  const boundary = `parley-${randomBytes(18).toString('hex')}`;
  const head = (name: string, more = ''): string => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n`;
  const parts: Buffer[] = fields.map(([name, value]) => Buffer.from(`${head(name)}${value}\r\n`));
  parts.push(Buffer.from(head('file', '; filename="audio.wav"\r\ncontent-type: audio/wav')), file, Buffer.from(`\r\n--${boundary}--\r\n`));
  return { contentType: `multipart/form-data; boundary=${boundary}`, body: Buffer.concat(parts) };
}
