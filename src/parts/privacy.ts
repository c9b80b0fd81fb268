/** What callers are told, what is recorded of them and what is never kept. */
import { type Audit, createRecorder, findSecrets, maskText } from '../audit/index.ts';
import { createSecretStore, type Stages } from '../call/index.ts';
import type { Config } from '../config/index.ts';
import type { CallRecorder, Clock, Logger, SecretStore } from '../contracts/index.ts';
import type { RecordingPolicy } from '../dialogue/index.ts';

/** Whether calls are recorded, and whether callers are asked or told. */
export function recordingPolicy({ data }: Config): RecordingPolicy {
  if (data.recording.days === 0) return 'off';
  return data.recording.basis === 'consent' ? 'ask' : 'inform';
}

/** What is kept of a caller's words, numbers left out; undefined where the configuration keeps them. */
export function masking({ privacy }: Config): { mask?: (text: string) => string } {
  const { maskDigits } = privacy;
  return maskDigits === 0 ? {} : { mask: (text) => maskText(text, { minDigits: maskDigits }) };
}

export interface PrivacyParts {
  readonly stages: Pick<Stages, 'findSecrets' | 'secrets'> & { readonly recorder?: CallRecorder };
  readonly secrets: SecretStore;
  /** What is recorded is whole when it resolves. */
  stop(): Promise<void>;
}

/** An utterance and its decode: numbers in it are known by then. */
const DECODE_MS = 4000;

/** Errors: RECORDING_FAILED when there is no folder for recordings. */
export function createPrivacyParts(
  config: Config,
  { audit, audioFd, clock, logger }: { audit: Audit; audioFd: number; clock: Clock; logger: Logger },
): PrivacyParts {
  const { maskDigits, recordings } = config.privacy;
  const secrets = createSecretStore();
  const find = maskDigits === 0 ? {} : { findSecrets: (text: string) => findSecrets(text, { minDigits: maskDigits }) };
  if (recordingPolicy(config) === 'off') return { stages: { ...find, secrets }, secrets, stop: () => Promise.resolve() };
  const recorder = createRecorder({
    ...{ audit, audioFd, clock, logger, folder: recordings },
    retentionDays: config.data.recording.days,
    holdMs: config.turn.maxUtteranceMs + DECODE_MS,
  });
  return { stages: { ...find, secrets, recorder }, secrets, stop: () => recorder.stop() };
}
