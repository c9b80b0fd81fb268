/**
 * Speaks Deepgram's live endpoint on loopback: WebSocket /v1/listen, binary linear16 in; Results (interim, final, from_finalize) out; Finalize and
 * CloseStream understood; a wrong key gets 401. Which words were said, `hear` knows. Source: Deepgram API reference, live audio.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ScriptWord } from './oracle.ts';
import type { Wav } from './wav.ts';

export type DeepgramFault = 'never' | 'half' | 'wrong-shape' | 'garbage' | 'close' | 'error' | 'huge';

export interface DeepgramServer {
  readonly url: string;
  /** Samples of each line, in order. */
  readonly lines: { samples: number; query: URLSearchParams }[];
  fault: DeepgramFault | null;
  stop(): Promise<void>;
}

interface Line {
  pcm: Int16Array;
  /** A final result is about what came since the one before. */
  settledMs: number;
  readonly socket: WebSocket;
}

export async function startDeepgram(key: string, hear: (wav: Wav) => readonly ScriptWord[]): Promise<DeepgramServer> {
  const http = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  const state: { fault: DeepgramFault | null; lines: DeepgramServer['lines'] } = { fault: null, lines: [] };
  http.on('upgrade', (request, socket, head) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const status = url.pathname !== '/v1/listen' ? 404 : request.headers.authorization !== `Token ${key}` ? 401 : 101;
    if (status !== 101) {
      socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) => {
      const seen = { samples: 0, query: url.searchParams };
      state.lines.push(seen);
      listen({ pcm: new Int16Array(0), settledMs: 0, socket: opened }, seen);
    });
  });
  const listen = (line: Line, seen: { samples: number }): void => {
    line.socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) {
        const more = new Int16Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
        const pcm = new Int16Array(line.pcm.length + more.length);
        pcm.set(line.pcm);
        pcm.set(more, line.pcm.length);
        line.pcm = pcm;
        seen.samples = pcm.length;
        answer(line, false);
      } else {
        const { type } = JSON.parse(data.toString()) as { type: string };
        if (type === 'Finalize') answer(line, true);
        if (type === 'CloseStream') line.socket.close();
      }
    });
  };
  const answer = (line: Line, final: boolean): void => {
    const { pcm, socket, settledMs } = line;
    if (final && state.fault !== null) return misbehave(socket, state.fault);
    const words = hear({ rateHz: 16_000, pcm }).filter(({ fromMs }) => fromMs >= settledMs);
    if (final) line.settledMs = pcm.length / 16;
    const timed = words.map(({ text, fromMs, toMs }) => ({
      word: text,
      punctuated_word: text,
      start: fromMs / 1000,
      end: toMs / 1000,
      confidence: 0.98,
    }));
    const alternative = { transcript: words.map(({ text }) => text).join(' '), confidence: words.length === 0 ? 0 : 0.98, words: timed };
    const said = {
      type: 'Results',
      channel_index: [0, 1],
      start: 0,
      duration: pcm.length / 16_000,
      is_final: final,
      speech_final: false,
      from_finalize: final,
      channel: { alternatives: [alternative] },
    };
    socket.send(JSON.stringify(said));
  };
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    lines: state.lines,
    get fault() {
      return state.fault;
    },
    set fault(fault) {
      state.fault = fault;
    },
    stop: () => {
      for (const client of sockets.clients) client.terminate();
      return new Promise((resolve) => http.close(() => resolve()));
    },
  };
}

function misbehave(socket: WebSocket, fault: DeepgramFault): void {
  if (fault === 'half') socket.send('{"type":"Results","chan');
  if (fault === 'wrong-shape')
    socket.send('{"type":"Results","is_final":true,"from_finalize":true,"channel":{"alternatives":[{"transcript":5}]}}');
  if (fault === 'garbage') socket.send('<html>');
  if (fault === 'error') socket.send('{"type":"Error","description":"the words of a caller"}');
  if (fault === 'huge') socket.send(`{"type":"Results","pad":"${'x'.repeat(2 << 20)}"}`);
  if (fault === 'close') socket.terminate();
}
