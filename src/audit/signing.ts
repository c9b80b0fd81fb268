/** What the gateway signs when it opens a stream: "parley/stream/v1" LF genesis. The prefix keeps it apart from checkpoints. */
export function streamMessage(genesis: Buffer): Buffer {
  return Buffer.concat([Buffer.from('parley/stream/v1\n'), genesis]);
}
