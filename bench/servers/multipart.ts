/** multipart/form-data (RFC 7578) of a whole body: fields and files by name. Enough for the clients of a recogniser. */
export function readMultipart(body: Buffer, contentType: string): ReadonlyMap<string, Buffer> {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1];
  const fields = new Map<string, Buffer>();
  if (boundary === undefined) return fields;
  const mark = Buffer.from(`--${boundary}`);
  let at = body.indexOf(mark);
  while (at >= 0) {
    const next = body.indexOf(mark, at + mark.length);
    if (next < 0) break;
    const part = body.subarray(at + mark.length + 2, next - 2);
    const head = part.indexOf('\r\n\r\n');
    const name = /name="([^"]*)"/.exec(part.toString('latin1', 0, Math.max(0, head)))?.[1];
    if (head >= 0 && name !== undefined) fields.set(name, part.subarray(head + 4));
    at = next;
  }
  return fields;
}
