/** A recorder that only says what it was told. */
import type { CallRecorder, Recording, RecordingOptions } from '../../src/contracts/index.ts';

export interface Take {
  readonly id: string;
  readonly what: string[];
}

export function noteRecorder(): { recorder: CallRecorder; takes: Take[] } {
  const takes: Take[] = [];
  const recording = (id: string, log: RecordingOptions['log']): Recording => {
    const take: Take = { id, what: [] };
    takes.push(take);
    const note = (what: string): Promise<void> => Promise.resolve(void take.what.push(what));
    return {
      id,
      silence: (line, from, to) => void note(`silence ${line} ${from}-${to}`),
      pause: () => note('pause'),
      resume: () => note('resume'),
      stop: (why, unheard) => note(`stop ${why} ${String(unheard)}`),
      shred: async (why) => {
        await log({ type: 'recording.shredded', body: { recording: id, why, chunks: 0 } });
        await note('shred');
      },
    };
  };
  const recorder: CallRecorder = {
    holdMs: 1000,
    stop: () => Promise.resolve(),
    start: async ({ log, fromSample }) => {
      const id = `take-${takes.length}`;
      const made = recording(id, log);
      await log({ type: 'recording.started', body: { recording: id, rateHz: 8000, channels: 2, fromSample } });
      return made;
    },
    adopt: async (id, { log, told }) => {
      const body = { recording: id, why: 'crash', chunks: 2, samples: 80_000, sha256: '00' } as const;
      if (!told) await log({ type: 'recording.broken', body });
      return recording(id, log);
    },
  };
  return { recorder, takes };
}
