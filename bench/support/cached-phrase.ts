/** From a phrase of the cache to its first packet at the PBX, through the real media engine. */
import { setTimeout as pause } from 'node:timers/promises';
import type { MediaSession } from '../../src/contracts/index.ts';
import { createMediaEngine } from '../../src/media/index.ts';
import type { PhraseCache } from '../../src/tts/index.ts';
import { RtpPeer, type HeardPacket } from '../../test/support/rtp-peer.ts';

const SLOT_MS = 20;
const FIRST_PORT = 19_400;
/** Mu-law zero, of either sign. */
const isSilence = ({ payload }: HeardPacket): boolean => payload.every((code) => code === 0xff || code === 0x7f);

export interface FirstPacket {
  /** From the question to the cache until the packet with the first sound is at the PBX. */
  readonly delayMs: number;
  /** From the question until the media engine has the clip. */
  readonly handedMs: number;
  /** Slots that went by without the phrase after it was handed over, by the media engine's own clock. */
  readonly slotsMissed: number;
}

const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);

async function once(cache: PhraseCache, text: string, session: MediaSession, peer: RtpPeer): Promise<FirstPacket> {
  let startedUs = NaN;
  session.onEvent((event) => {
    if (event.t === 'clip-start') startedUs = event.atUs;
  });
  const before = peer.heard.length;
  const askedUs = nowUs();
  const { pcm, rateHz } = await cache.synthesise(text, { language: 'en' });
  const clip = session.openClip({ rateHz, held: false });
  clip.write(pcm);
  clip.end();
  const handedUs = nowUs();
  for (;;) {
    await pause(5);
    const first = peer.heard.slice(before).find((packet) => !isSilence(packet));
    if (first === undefined || Number.isNaN(startedUs)) continue;
    session.stop();
    const slotsMissed = Math.max(0, Math.floor((startedUs - handedUs) / 1000 / SLOT_MS));
    return { delayMs: (first.atUs - askedUs) / 1000, handedMs: (handedUs - askedUs) / 1000, slotsMissed };
  }
}

/** `rounds` times, at moments that have nothing to do with the slots. The text must be in the cache. */
export async function firstPackets(cache: PhraseCache, text: string, rounds: number): Promise<FirstPacket[]> {
  const engine = createMediaEngine({ host: '127.0.0.1', portMin: FIRST_PORT, portMax: FIRST_PORT + 3, maxCalls: 1, historyMs: 2000 });
  const peer = await RtpPeer.open();
  try {
    const session = engine.open({ callId: 'bench-phrase', receive: 'ulaw', send: 'ulaw' });
    session.setRemote('127.0.0.1', peer.port);
    const found: FirstPacket[] = [];
    for (let round = 0; round <= rounds; round++) {
      await pause(6 * SLOT_MS + ((round * 37) % 100) / 5);
      const first = await once(cache, text, session, peer);
      if (round > 0) found.push(first);
    }
    session.close();
    return found;
  } finally {
    peer.close();
    engine.close();
  }
}
