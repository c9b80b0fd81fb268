/** The ablation: the same callers, the same engines, another turn engine. */
import { TURN_DEFAULTS, type TurnOptions } from '../../src/turn/index.ts';

/** Words of espeak-ng, said alone, all end with a fall: the melody says nothing here, and would only make every wait shorter. */
const OURS: TurnOptions = { ...TURN_DEFAULTS, prosody: false };

const serial = (waitMs: number): TurnOptions => ({
  ...TURN_DEFAULTS,
  endpoint: 'fixed',
  waitMs,
  quickWaitMs: waitMs,
  decodeEarly: false,
  speculate: false,
  slotGrammar: false,
  retractMs: 0,
});

export const ROWS: Readonly<Record<string, TurnOptions>> = {
  'serial-500': serial(500),
  'serial-300': serial(300),
  'serial-200': serial(200),
  'ours-no-speculation': { ...OURS, speculate: false },
  ours: OURS,
  'ours-opener': { ...OURS, openerMs: 0 },
  'ours-no-slots': { ...OURS, slotGrammar: false },
  'ours-no-retraction': { ...OURS, retractMs: 0 },
};
