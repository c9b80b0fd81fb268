/** Scripts from data (a file, a fixture): checked step by step, each complaint names its step. */
import { ParleyError } from '../../contracts/index.ts';
import { KEYS } from './rtp-packet.ts';
import type { Script, Step } from './script.ts';

const MAX_STEPS = 1000;
const MAX_TEXT = 2000;
const MAX_KEYS = 64;
const MAX_MS = 3_600_000;
const WAITS = ['agent-finished', 'agent-started', 'hangup'] as const;
/** What may stand beside the key that names the kind of a step. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  wait: ['quietMs', 'timeoutMs'],
  say: [],
  keys: [],
  interrupt: ['timeoutMs'],
  pauseMs: [],
  hangup: [],
};

type Fields = Readonly<Record<string, unknown>>;

/** Errors: CALLER_SCRIPT naming the step. */
export function readScript(data: unknown): Script {
  if (!Array.isArray(data)) throw invalid('a script is a list of steps');
  if (data.length > MAX_STEPS) throw invalid(`${data.length} steps, at most ${MAX_STEPS}`);
  return data.map((step: unknown, index) => readStep(step, `step ${index + 1}`));
}

function readStep(data: unknown, where: string): Step {
  const step = fields(data, where);
  const kind = Object.keys(BESIDE).find((key) => key in step);
  if (kind === undefined) throw invalid(`${where} is none of ${Object.keys(BESIDE).join(', ')}`);
  const stranger = Object.keys(step).find((key) => key !== kind && BESIDE[kind]?.includes(key) !== true);
  if (stranger !== undefined) throw invalid(`${where} (${kind}) does not know "${stranger}"`);
  const timeout = step['timeoutMs'] === undefined ? {} : { timeoutMs: ms(step['timeoutMs'], `${where}: timeoutMs`) };
  switch (kind) {
    case 'say':
      return { say: text(step['say'], `${where}: say`) };
    case 'pauseMs':
      return { pauseMs: ms(step['pauseMs'], `${where}: pauseMs`) };
    case 'hangup':
      return { hangup: true };
    case 'keys':
      return { keys: keys(step['keys'], where) };
    case 'interrupt': {
      const { afterMs, say } = fields(step['interrupt'], `${where}: interrupt`);
      return { interrupt: { afterMs: ms(afterMs, `${where}: interrupt.afterMs`), say: text(say, `${where}: interrupt.say`) }, ...timeout };
    }
    default:
      return { ...readWait(step, where), ...timeout };
  }
}

function readWait(step: Fields, where: string): Step {
  const wait = WAITS.find((name) => name === step['wait']);
  if (wait === undefined) throw invalid(`${where}: wait must be one of ${WAITS.join(', ')}`);
  if (step['quietMs'] === undefined) return { wait };
  if (wait !== 'agent-finished') throw invalid(`${where}: quietMs belongs to wait: agent-finished`);
  return { wait, quietMs: ms(step['quietMs'], `${where}: quietMs`) };
}

function fields(data: unknown, where: string): Fields {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw invalid(`${where} is no mapping`);
  return data as Fields;
}

function ms(value: unknown, where: string): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= MAX_MS)) throw invalid(`${where} must be milliseconds from 0 to ${MAX_MS}`);
  return value;
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string' || value.trim() === '' || value.length > MAX_TEXT)
    throw invalid(`${where} must be a text of 1 to ${MAX_TEXT} characters`);
  return value;
}

function keys(value: unknown, where: string): string {
  const pressed = text(value, `${where}: keys`).toUpperCase();
  if (pressed.length > MAX_KEYS || !pressed.split('').every((key) => KEYS.includes(key)))
    throw invalid(`${where}: keys may hold up to ${MAX_KEYS} of ${KEYS}`);
  return pressed;
}

function invalid(why: string): ParleyError {
  return new ParleyError('CALLER_SCRIPT', `the caller's script is not valid: ${why}`);
}
