/** What the call says of its own voice: to the log, to the turn engine and to the turn's waterfall. */
import { createHash } from 'node:crypto';
import type { TurnEvent } from '../contracts/index.ts';
import { Bridge } from './filler.ts';
import type { Journal } from './journal.ts';
import type { Say } from './ports.ts';
import type { SpeakerHooks, Spoken } from './speaker.ts';
import type { TurnClock } from './turn-clock.ts';

export interface VoiceLogPorts {
  readonly journal: Journal;
  readonly language: string;
  readonly clock: TurnClock;
  /** Microseconds of the monotonic clock to milliseconds of the media clock. */
  readonly ms: (atUs: number) => number;
  readonly tellTurn: (event: TurnEvent) => void;
  readonly started: (say: Say) => void;
  readonly isEnded: () => boolean;
  readonly ended?: (spoken: Spoken) => void;
  /** For the first audio of a text. */
  readonly waited: (ttsMs: number) => void;
}

interface Wording {
  readonly prompt: string;
  readonly language: string;
  readonly wordingSha256: string;
}

export function voiceLog(ports: VoiceLogPorts): SpeakerHooks {
  const { journal, language, clock, ms, tellTurn } = ports;
  const wordingOf = ({ prompt, text, language: other }: Say): Wording => ({
    prompt,
    language: other ?? language,
    wordingSha256: createHash('sha256').update(text).digest('hex'),
  });
  return {
    before: async (say) => {
      if (say.kind === 'notice') await journal.before({ type: 'notice.started', body: wordingOf(say) });
    },
    synthesised: (say, ttsMs) => {
      ports.waited(ttsMs);
      if (!Bridge.is(say)) clock.synthesised(ttsMs);
    },
    started: (say, atUs) => {
      journal.show({ type: 'agent.speaking', body: { prompt: say.prompt, kind: say.kind }, content: { text: say.text } });
      if (Bridge.is(say)) {
        clock.bridged(atUs);
        return;
      }
      tellTurn({ t: 'agent-start', atMs: ms(atUs) });
      ports.started(say);
      const latency = clock.started(atUs);
      if (latency !== null) journal.write({ type: 'turn.latency', body: latency });
    },
    asking: (atUs) => tellTurn({ t: 'asking', atMs: ms(atUs) }),
    ended: (spoken) => {
      ports.ended?.(spoken);
      noteSpoken(ports, spoken, wordingOf(spoken.say));
    },
  };
}

/** The log has the words up to the last one that the caller heard. */
function noteSpoken({ journal, isEnded }: VoiceLogPorts, { say, sentMs, heard, interrupted, engines }: Spoken, wording: Wording): void {
  const by = engines.length === 0 ? {} : { engines };
  if (say.kind === 'notice') journal.write({ type: 'notice.completed', body: { ...wording, sentMs, interrupted, ...by } });
  const { prompt, wordingSha256 } = wording;
  const { words, heardWords, text } = heard;
  journal.write({
    type: 'agent.said',
    body: { prompt, kind: say.kind, wordingSha256, sentMs, interrupted, words, heardWords, ...by },
    content: { text },
  });
  if (interrupted && !isEnded()) journal.write({ type: 'caller.interrupted', body: { sentMs } });
}
