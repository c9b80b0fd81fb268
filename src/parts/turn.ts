/** Turn taking: from the configuration to the turn engine's options, its words, the bridges of a wait and the end-of-turn model. */
import { type CallOptions, FILLERS } from '../call/index.ts';
import type { Config } from '../config/index.ts';
import type { EndOfTurnDetector, Logger } from '../contracts/index.ts';
import { moreWords, TURN_DEFAULTS } from '../turn/index.ts';
import { createEndOfTurnDetector } from '../vad/index.ts';

export function turnOptions(config: Config): Required<Pick<CallOptions, 'turn' | 'fillers'>> {
  const { fillers, words } = config.turn;
  const languages = new Set([...Object.keys(FILLERS), ...Object.keys(fillers)]);
  const texts = (language: string) => {
    const own = fillers[language];
    const usual = FILLERS[language];
    return { opener: own?.opener ?? usual?.opener ?? [], wait: own?.wait ?? usual?.wait ?? [] };
  };
  const ownWords = Object.fromEntries(Object.entries(words).map(([language, more]) => [language, moreWords(language, more)]));
  return {
    turn: { ...TURN_DEFAULTS, ...timesOf(config.turn), ownWords },
    fillers: Object.fromEntries([...languages].map((language) => [language, texts(language)])),
  };
}

/** What is named as in TurnOptions. */
function timesOf(turn: Config['turn']): Omit<Config['turn'], 'fillers' | 'words' | 'detector'> {
  const others: readonly string[] = ['fillers', 'words', 'detector'] satisfies readonly (keyof Config['turn'])[];
  return Object.fromEntries(Object.entries(turn).filter(([name]) => !others.includes(name))) as ReturnType<typeof timesOf>;
}

/** Null when the configuration names none. */
export function createDetector(config: Config, logger: Logger): EndOfTurnDetector | null {
  const { detector } = config.turn;
  return detector === null ? null : createEndOfTurnDetector({ ...detector, logger });
}
