/** One synthetic caller: sends a packet every 20 ms, listens to what comes back, and talks as its plan says. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Draws, streamSeed } from '../servers/draws.ts';
import { decode, encode } from './g711.ts';
import { AGENT_TEXTS } from './script.ts';
import { concat, rms, sentence, VOICED_RMS } from './voice.ts';
import type { CallerPlan, CallerReport, DisturbanceReport, FromCallers, Span, TurnReport } from './wire.ts';

const FRAME = 160;
const TEN_MS = 80;
const FIVE_MS = 40;
/** Silence after which the agent has finished. */
const FINISHED_MS = 700;
const PATIENCE_MS = 6000;
const CLOSE_GAP_MS = 150;
/** So many samples tell which text it is. */
const HEAD = 4000;
const ECHO_FRAMES = 2;
const ECHO_GAIN = 0.05;
const DUCKED = 0.4;
/** What is soft later is so for another reason. */
const DUCK_LIMIT_MS = 400;

type Phase = 'greeting' | 'thinking' | 'talking' | 'waiting' | 'done';

export const nowMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

interface Heard {
  fromMs: number;
  toMs: number;
  text: string | null;
  /** The first samples, until they tell the text. */
  head: Int16Array | null;
  ref: Int16Array | null;
  refAt: number;
  firstRefSample: number | null;
  lastRefSample: number | null;
}

interface Planned {
  readonly pcm: Int16Array;
  readonly from: number;
}

export class Caller {
  readonly id: string;
  readonly #plan: CallerPlan;
  readonly #socket: Socket;
  readonly #draws: Draws;
  readonly #tell: (message: FromCallers) => void;
  #remotePort = 0;
  #seq = 0;
  #sample = 0;
  /** When each packet left, by index. */
  readonly #sentMs: number[] = [];
  readonly #speech: Planned[] = [];
  readonly #heard: Heard[] = [];
  readonly #echo: Int16Array[] = [];
  readonly #turns: {
    index: number;
    startSample: number;
    endSample: number;
    holds: { from: number; to: number; at: string }[];
    barged: boolean;
  }[] = [];
  readonly #disturbed: {
    t: DisturbanceReport['t'];
    from: number;
    to: number;
    duckMs: number | null;
    /** End of the last 5 ms at full level since its onset. */
    loudMs: number | null;
    agentText: string | null;
  }[] = [];
  #next = 0;
  #phase: Phase = 'greeting';
  #phaseMs = 0;
  #thinkUntil = 0;
  #agentSince: number | null = null;
  #received = 0;
  #late = 0;
  #firstArrivalMs = 0;
  #firstTimestamp = 0;

  constructor(plan: CallerPlan, socket: Socket, tell: (message: FromCallers) => void) {
    this.id = plan.id;
    this.#plan = plan;
    this.#socket = socket;
    this.#tell = tell;
    this.#draws = new Draws(streamSeed(plan.seed, plan.id, 'line'));
    socket.on('message', (data) => this.#hear(data, nowMs()));
  }

  static async bind(plan: CallerPlan, tell: (message: FromCallers) => void): Promise<Caller> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new Caller(plan, socket, tell);
  }

  get port(): number {
    return this.#socket.address().port;
  }
  get isDone(): boolean {
    return this.#phase === 'done';
  }

  connect(port: number): void {
    this.#remotePort = port;
    this.#phaseMs = nowMs();
  }

  /** Every 20 ms. */
  tick(): void {
    if (this.#remotePort === 0 || this.#phase === 'done') return;
    this.#live(nowMs());
    const payload = this.#frame();
    const header = Buffer.alloc(12 + FRAME);
    header[0] = 0x80;
    header.writeUInt16BE(this.#seq & 0xffff, 2);
    header.writeUInt32BE(this.#sample >>> 0, 4);
    header.writeUInt32BE(0x5eed, 8);
    for (let i = 0; i < FRAME; i++) header[12 + i] = encode(payload[i] ?? 0);
    this.#sentMs.push(nowMs());
    this.#seq += 1;
    this.#sample += FRAME;
    if (this.#plan.line !== 'loss') this.#send(header);
    else if (this.#draws.uniform() >= 0.01) setTimeout(() => this.#send(header), this.#draws.uniform() * 20);
  }

  #send(packet: Buffer): void {
    if (this.#phase !== 'done') this.#socket.send(packet, this.#remotePort, '127.0.0.1');
  }

  #frame(): Float64Array {
    const out = new Float64Array(FRAME);
    for (const { pcm, from } of this.#speech) {
      const shift = this.#sample - from;
      if (shift <= -FRAME || shift >= pcm.length) continue;
      for (let i = 0; i < FRAME; i++) out[i]! += pcm[shift + i] ?? 0;
    }
    const echo = this.#echo.length > ECHO_FRAMES ? this.#echo.shift() : undefined;
    if (this.#plan.line === 'echo' && echo !== undefined) for (let i = 0; i < FRAME; i++) out[i]! += (echo[i] ?? 0) * ECHO_GAIN;
    if (this.#plan.line === 'noise') for (let i = 0; i < FRAME; i++) out[i]! += (this.#draws.uniform() - 0.5) * 240;
    return out;
  }

  // ---- what the caller does ----

  #live(atMs: number): void {
    const agentQuietMs = atMs - (this.#heard.at(-1)?.toMs ?? -Infinity);
    switch (this.#phase) {
      case 'greeting':
        if (this.#heard.length > 0 && agentQuietMs > FINISHED_MS) this.#think(atMs);
        else if (atMs - this.#phaseMs > 15_000) this.#finish();
        break;
      case 'thinking':
        if (atMs >= this.#thinkUntil) this.#talk(atMs);
        break;
      case 'talking': {
        const turn = this.#turns.at(-1)!;
        if (this.#sample > turn.endSample) {
          this.#tell({ t: 'spoke', id: this.id, turn: turn.index });
          this.#enter('waiting', atMs);
          this.#agentSince = null;
        }
        break;
      }
      case 'waiting':
        if (this.#disturb(atMs)) break;
        if (this.#agentSince !== null && agentQuietMs > FINISHED_MS) this.#think(atMs);
        else if (this.#agentSince === null && atMs - this.#phaseMs > PATIENCE_MS) this.#think(atMs);
        break;
      case 'done':
        break;
    }
  }

  #enter(phase: Phase, atMs: number): void {
    this.#phase = phase;
    this.#phaseMs = atMs;
  }

  #think(atMs: number): void {
    const turn = this.#plan.turns[this.#next];
    if (turn === undefined) {
      this.#finish();
      return;
    }
    this.#enter('thinking', atMs);
    // The pause after the agent's last word has been waited already.
    this.#thinkUntil = atMs + Math.max(0, turn.thinkMs - 200);
  }

  #talk(atMs: number): void {
    const plan = this.#plan.turns[this.#next]!;
    const parts: Int16Array[] = [];
    const words: { text: string; from: number; to: number }[] = [];
    const holds: { from: number; to: number; at: string }[] = [];
    const startSample = this.#sample + 80;
    let at = startSample;
    for (const { text, pauseMs, at: where } of plan.pieces) {
      const said = sentence(text, 'caller');
      parts.push(said.pcm);
      words.push(...said.words.map((one) => ({ text: one.text, from: at + one.from, to: at + one.to })));
      at += said.pcm.length;
      if (pauseMs === null) continue;
      const gap = new Int16Array(Math.round(pauseMs * 8));
      parts.push(gap);
      holds.push({ from: at, to: at + gap.length, at: where ?? 'clause' });
      at += gap.length;
    }
    this.#speech.push({ pcm: concat(parts), from: startSample });
    this.#turns.push({ index: this.#next, startSample, endSample: at, holds, barged: false });
    this.#tell({ t: 'speaks', id: this.id, turn: this.#next, words });
    this.#next += 1;
    this.#enter('talking', atMs);
  }

  /** While the agent answers: a listener's word, a cough, or an interruption that is a turn of its own; then true. */
  #disturb(atMs: number): boolean {
    const turn = this.#turns.at(-1)!;
    const plan = turn.barged ? null : (this.#plan.turns[turn.index]?.disturbance ?? null);
    const last = this.#heard.at(-1);
    const endMs = this.#timeOf(turn.endSample);
    if (this.#agentSince === null && last !== undefined && last.fromMs > endMs) this.#agentSince = last.fromMs;
    if (plan === null || this.#agentSince === null || this.#disturbed.some((one) => one.from > turn.endSample)) return false;
    const speaking = last !== undefined && atMs - last.toMs < 100;
    if (!speaking || atMs < this.#agentSince + plan.afterMs) return false;
    const from = this.#sample + 80;
    if (plan.t === 'noise') {
      const pcm = Int16Array.from({ length: Math.round(plan.lengthMs * 8) }, () => (this.#draws.uniform() - 0.5) * 8000);
      this.#speech.push({ pcm, from });
      this.#disturbed.push({ t: 'noise', from, to: from + pcm.length, duckMs: null, loudMs: null, agentText: last.text });
      return false;
    }
    const said = sentence(plan.text, 'caller');
    this.#speech.push({ pcm: said.pcm, from });
    this.#disturbed.push({ t: plan.t, from, to: from + said.pcm.length, duckMs: null, loudMs: null, agentText: last.text });
    const words = said.words.map((one) => ({ text: one.text, from: from + one.from, to: from + one.to }));
    this.#tell({ t: 'speaks', id: this.id, turn: -1, words });
    if (plan.t !== 'barge-in') return false;
    this.#turns.push({ index: turn.index, startSample: from, endSample: from + said.pcm.length, holds: [], barged: true });
    this.#enter('talking', atMs);
    return true;
  }

  #finish(): void {
    this.#phase = 'done';
    this.#socket.close();
    this.#tell({ t: 'done', id: this.id, report: this.#report() });
  }

  // ---- what the caller hears ----

  #hear(data: Buffer, arrivedMs: number): void {
    if (data.length < 12 + FRAME || this.#phase === 'done') return;
    const timestamp = data.readUInt32BE(4);
    if (this.#received++ === 0) [this.#firstArrivalMs, this.#firstTimestamp] = [arrivedMs, timestamp];
    const dueMs = this.#firstArrivalMs + ((timestamp - this.#firstTimestamp) | 0) / 8;
    if (arrivedMs - dueMs > 20) this.#late += 1;
    const pcm = decode(data.subarray(12));
    if (this.#plan.line === 'echo') this.#echo.push(pcm);
    for (let at = 0; at < pcm.length; at += TEN_MS) {
      if (rms(pcm, at, at + TEN_MS) > VOICED_RMS) this.#voiced(pcm, at, arrivedMs);
    }
    this.#follow(pcm, arrivedMs);
  }

  #voiced(pcm: Int16Array, at: number, arrivedMs: number): void {
    const last = this.#heard.at(-1);
    const fromMs = arrivedMs + at / 8;
    if (last !== undefined && fromMs - last.toMs < CLOSE_GAP_MS) {
      last.toMs = fromMs + 10;
      return;
    }
    this.#heard.push({
      fromMs,
      toMs: fromMs + 10,
      text: null,
      head: pcm.slice(at),
      ref: null,
      refAt: 0,
      firstRefSample: null,
      lastRefSample: null,
    });
  }

  /** Which text begins here? Its own samples say so. `pcm` is the packet that completed the head. */
  #align(span: Heard, head: Int16Array): void {
    let best = 0.7;
    for (const text of AGENT_TEXTS) {
      const { pcm, words } = sentence(text, 'agent');
      for (const { from } of words) {
        const score = likeness(head, pcm, from);
        if (score <= best) continue;
        best = score;
        [span.text, span.ref, span.refAt, span.firstRefSample] = [text, pcm, from + head.length, from];
      }
    }
  }

  /** Compares what comes with what should: how soft it is, and how far it came. */
  #follow(pcm: Int16Array, arrivedMs: number): void {
    const span = this.#heard.at(-1);
    if (span === undefined) return;
    if (span.head !== null) {
      if (span.fromMs < arrivedMs) span.head = concat([span.head, pcm]);
      if (span.head.length < HEAD) return;
      this.#align(span, span.head);
      span.head = null;
      return;
    }
    if (span.ref === null) return;
    const from = span.refAt;
    if (rms(pcm, 0, FRAME) > VOICED_RMS / 4) span.lastRefSample = Math.min(span.ref.length, from + FRAME);
    span.refAt += FRAME;
    for (let at = 0; at < FRAME; at += FIVE_MS)
      this.#ducked(rms(pcm, at, at + FIVE_MS), rms(span.ref, from + at, from + at + FIVE_MS), arrivedMs + at / 8);
  }

  /** Where the text itself is soft nothing can be told: what counts is until when the caller heard us at full level. */
  #ducked(got: number, wanted: number, atMs: number): void {
    const disturbed = this.#disturbed.at(-1);
    if (disturbed === undefined || disturbed.duckMs !== null || wanted < 400) return;
    const onsetMs = this.#timeOf(disturbed.from);
    if (atMs <= onsetMs || atMs >= onsetMs + DUCK_LIMIT_MS) return;
    if (got >= wanted * DUCKED) disturbed.loudMs = atMs + 5;
    else disturbed.duckMs = disturbed.loudMs ?? onsetMs;
  }

  // ---- the report ----

  /** When this sample left: its packet's time and its place in the packet. */
  #timeOf(sample: number): number {
    const index = Math.floor(sample / FRAME);
    const sent = this.#sentMs[index];
    return sent === undefined ? Infinity : sent + (sample % FRAME) / 8;
  }

  #report(): CallerReport {
    const span = (from: number, to: number): Span => ({ fromMs: this.#timeOf(from), toMs: this.#timeOf(to) });
    const turns: TurnReport[] = this.#turns.map(({ index, startSample, endSample, holds, barged }) => ({
      index,
      expect: barged ? 'barge-in' : (this.#plan.turns[index]?.expect.kind ?? ''),
      startMs: this.#timeOf(startSample),
      endMs: this.#timeOf(endSample - 1),
      holds: holds.map(({ from, to, at }) => ({ ...span(from, to), at })),
      barged,
    }));
    return {
      id: this.id,
      turns,
      disturbances: this.#disturbed.map(({ t, from, to, duckMs, agentText }) => ({
        t,
        onsetMs: this.#timeOf(from),
        offsetMs: this.#timeOf(to),
        duckMs,
        agentText,
      })),
      agent: this.#heard.map(({ fromMs, toMs, text, firstRefSample, lastRefSample }) => ({
        fromMs,
        toMs,
        text,
        firstRefSample,
        lastRefSample,
      })),
      packetsSent: this.#seq,
      packetsReceived: this.#received,
      latePackets: this.#late,
    };
  }
}

/** Normalised correlation of the head with the text from a word on. */
function likeness(head: Int16Array, ref: Int16Array, from: number): number {
  let [product, here, there] = [0, 1, 1];
  for (let i = 0; i < head.length; i++) {
    const [a, b] = [head[i] ?? 0, ref[from + i] ?? 0];
    product += a * b;
    here += a * a;
    there += b * b;
  }
  return product / Math.sqrt(here * there);
}
