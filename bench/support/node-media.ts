/**
 * The same job as the media engine in plain Node, the peer of bench/media.ts: dgram, table codecs, FIR resampling on typed
 * arrays, 20 ms timers without drift. Started as a process of its own: node-media.ts FIRST_PORT COUNT STRIDE LOAD_PORT SECONDS.
 * Prints one JSON object.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const [first = 0, count = 0, stride = 2, loadPort = 0, seconds = 0] = process.argv.slice(2).map(Number);
const nowMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

const ulawToLinear = Int16Array.from({ length: 256 }, (_, code) => {
  const inverted = ~code & 0xff;
  const magnitude = ((((inverted & 0x0f) << 3) + 0x84) << ((inverted >> 4) & 7)) - 0x84;
  return (inverted & 0x80) !== 0 ? -magnitude : magnitude;
});
const linearToUlaw = Uint8Array.from({ length: 65536 }, (_, index) => {
  const sample = (index << 16) >> 16;
  const magnitude = Math.min(Math.abs(sample), 32635) + 0x84;
  const segment = 31 - Math.clz32(magnitude) - 7;
  return ~((sample < 0 ? 0x80 : 0) | (segment << 4) | ((magnitude >> (segment + 3)) & 0x0f));
});
function lowPass(taps: number, cutoff: number): Float64Array {
  return Float64Array.from({ length: taps }, (_, k) => {
    const x = k - (taps - 1) / 2;
    const window = 0.54 + 0.46 * Math.cos((2 * Math.PI * x) / taps);
    return (x === 0 ? cutoff : Math.sin(Math.PI * cutoff * x) / (Math.PI * x)) * window;
  });
}
const halfway = lowPass(32, 0.97);
const down3 = lowPass(96, 1 / 3);

let received = 0;

class Call {
  readonly socket = createSocket('udp4');
  readonly ring = new Int16Array(1 << 17);
  readonly history = new Float64Array(32 + 160);
  readonly source: Float64Array;
  readonly packet = Buffer.alloc(172, 0x80);
  at = 0;
  seq = 0;
  energy = 0;
  constructor(source: Float64Array) {
    this.source = source;
    this.packet[1] = 0;
    this.socket.on('message', (data) => {
      this.receive(data);
    });
  }
  receive(data: Buffer): void {
    received++;
    if (data.length < 12 || (data[0] ?? 0) >> 6 !== 2) return;
    data.readUInt16BE(2);
    data.readUInt32BE(4);
    const { history, ring } = this;
    history.copyWithin(0, 160);
    let energy = 0;
    for (let n = 0; n < 160; n++) {
      const sample = ulawToLinear[data[12 + n] ?? 0] ?? 0;
      history[32 + n] = sample;
      energy += sample * sample;
    }
    this.energy = energy;
    for (let n = 0; n < 160; n++) {
      let sum = 0;
      for (let k = 0; k < 32; k++) sum += (history[n + k] ?? 0) * (halfway[k] ?? 0);
      ring[this.at++ & 0x1ffff] = history[n + 16] ?? 0;
      ring[this.at++ & 0x1ffff] = sum;
    }
  }
  send(): void {
    const { packet, source } = this;
    const start = (this.seq * 480) % (source.length - 600);
    for (let n = 0; n < 160; n++) {
      let sum = 0;
      for (let k = 0; k < 96; k++) sum += (source[start + n * 3 + k] ?? 0) * (down3[k] ?? 0);
      packet[12 + n] = linearToUlaw[sum & 0xffff] ?? 0;
    }
    packet.writeUInt16BE(this.seq & 0xffff, 2);
    packet.writeUInt32BE((this.seq * 160) >>> 0, 4);
    this.seq++;
    this.socket.send(packet, loadPort, '127.0.0.1');
  }
}

const source = Float64Array.from({ length: 24000 }, (_, n) => 8000 * Math.sin(n / 9));
const calls = Array.from({ length: count }, () => new Call(source));
await Promise.all(
  calls.map(async (call, index) => {
    call.socket.bind(first + index * stride, '127.0.0.1');
    await once(call.socket, 'listening');
  }),
);
process.stdout.write('{"ready":true}\n');
const latenessMs: number[] = [];
const start = nowMs() + 20;
const measureFrom = start + 1000;
const end = measureFrom + seconds * 1000;
let cpuStart = process.cpuUsage();
let frames = 0;
setTimeout(() => {
  cpuStart = process.cpuUsage();
  frames = 0;
  received = 0;
}, measureFrom - nowMs());
calls.forEach((call, index) => {
  let due = start + (index % 20);
  const next = (): void => {
    const now = nowMs();
    if (now >= end) return;
    while (due <= now) {
      call.send();
      frames++;
      if (now > measureFrom) latenessMs.push(nowMs() - due);
      due += 20;
    }
    setTimeout(next, Math.max(0, due - nowMs()));
  };
  setTimeout(next, due - nowMs());
});
setTimeout(
  () => {
    const cpu = process.cpuUsage(cpuStart);
    latenessMs.sort((a, b) => a - b);
    const at = (p: number): number => (latenessMs[Math.floor(p * latenessMs.length)] ?? NaN) * 1000;
    process.stdout.write(
      `${JSON.stringify({ cpuUs: cpu.user + cpu.system, frames, received, p50Us: at(0.5), p99Us: at(0.99), p999Us: at(0.999) })}\n`,
      () => process.exit(0),
    );
  },
  end - nowMs() + 50,
);
