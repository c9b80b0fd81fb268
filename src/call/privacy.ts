/** What a call keeps of the caller, and what it keeps from everybody: its recording and its secrets, wired to the rest of the call. */
import type { DialogueEvent, MediaSession, PbxCall } from '../contracts/index.ts';
import { digitsIn, isWithdrawal } from '../dialogue/index.ts';
import type { Journal } from './journal.ts';
import type { CallOptions, Stages } from './ports.ts';
import { RecordingDesk } from './recording-desk.ts';
import { SecretDesk } from './secret-desk.ts';

export interface PrivacyPorts {
  readonly stages: Stages;
  readonly options: CallOptions;
  readonly call: PbxCall;
  readonly callId: string;
  readonly language: string;
  readonly journal: Journal;
  readonly media: () => MediaSession | null;
  readonly tellTurn: (event: { t: 'secure'; on: boolean }) => void;
  readonly tell: (event: DialogueEvent) => void;
  /** Another recording, or one less: to be kept for after a crash. */
  readonly changed: () => void;
}

export interface Privacy {
  readonly secrets: SecretDesk;
  readonly recording: RecordingDesk;
}

export function createPrivacy({ stages, options, call, callId, language, journal, media, tellTurn, tell, changed }: PrivacyPorts): Privacy {
  const logger = stages.logger.child({ call: callId });
  const secrets = new SecretDesk({
    store: stages.secrets ?? null,
    callId,
    media,
    journal,
    mayBeSpoken: (stages.stt.external ?? null) === null,
    digitsIn: (text) => digitsIn(text, language),
    tellTurn,
    tell,
  });
  const recording = new RecordingDesk({
    recorder: stages.recorder ?? null,
    callId,
    number: call.from.number,
    language,
    receive: options.receive,
    media,
    journal,
    logger,
    findSecrets: stages.findSecrets ?? null,
    isWithdrawal: (text) => isWithdrawal(text, language),
    changed,
  });
  return { secrets, recording };
}
