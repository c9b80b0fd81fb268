/**
 * The error registry. A code is stable for ever and never reused; docs/errors.md is generated from this table.
 * A message says what happened, where (file, line, key, call) and what to do.
 */

export interface ErrorKind {
  /** What it means, in one sentence, for the admin. */
  readonly meaning: string;
  /** What to do about it. */
  readonly action: string;
  /** True when the same request may succeed later without any change. */
  readonly retryable: boolean;
}

export const ERRORS = {
  CONFIG_MISSING: {
    meaning: 'The configuration file does not exist.',
    action: 'Copy config/parley.example.yaml to config/parley.yaml, or name another file with --config.',
    retryable: false,
  },
  CONFIG_SYNTAX: {
    meaning: 'The configuration file is not valid YAML.',
    action: 'Correct the line named in the message.',
    retryable: false,
  },
  CONFIG_INVALID: {
    meaning: 'A configuration key is unknown, missing or has a wrong value.',
    action: 'Correct the key named in the message; docs/config.md lists every key.',
    retryable: false,
  },
  RECORDING_FAILED: {
    meaning: 'A recording could not be started or written: the call goes on without it.',
    action: 'Free space in the folder of privacy.recordings and make it writable for the user of Parley; the message says what failed.',
    retryable: true,
  },
  CONTENT_REFUSED: {
    meaning: 'What is kept of this person may not be read: its use is restricted (GDPR 18), or it was erased.',
    action:
      'The person may have it (parley subject export), and legal claims may (--for claims --reference ...); otherwise parley subject restrict --lift first.',
    retryable: false,
  },
  FLOW_INVALID: { meaning: 'A flow file is not valid.', action: 'Correct the line named in the message.', retryable: false },
  PORT_IN_USE: {
    meaning: 'A port that Parley must listen on is taken.',
    action: 'Stop the other program or choose another port.',
    retryable: false,
  },
  MEDIA_PORTS_EXHAUSTED: {
    meaning: 'Every port of media.ports is in use.',
    action: 'Widen media.ports or lower the number of calls.',
    retryable: true,
  },
  MEDIA_ADDON: {
    meaning: 'The native media engine could not be loaded.',
    action: 'Run npm run setup; it compiles the addon.',
    retryable: false,
  },
  MEDIA_ADDON_VERSION: {
    meaning: 'The compiled media engine is older or newer than the program around it.',
    action: 'Run scripts/build-native.sh (or npm run setup), then start again.',
    retryable: false,
  },
  MEDIA_CLEANING: {
    meaning: 'Noise or echo is to be taken out of the audio, and libspeexdsp is not on this machine. Calls go on uncleaned.',
    action: 'Install it (Debian, Ubuntu: apt-get install libspeexdsp1), or set media.noise and media.echo to off.',
    retryable: false,
  },
  MEDIA_CLOSED: { meaning: 'The media session is closed.', action: 'None: the call has ended.', retryable: false },
  EGRESS_REFUSED: {
    meaning: 'Something in this process wanted to connect to a place that the configuration does not name. Nothing was sent.',
    action:
      'If the place is wanted, name it where it belongs in the configuration; if not, find out who wanted it: parley report egress counts.',
    retryable: false,
  },
  PBX_LINK_DOWN: {
    meaning: 'There is no connection to the PBX.',
    action: 'Check that the PBX runs; Parley reconnects by itself.',
    retryable: true,
  },
  PBX_AUTH: {
    meaning: 'The PBX refused our user name or password.',
    action: 'Compare pbx.user and the password file with ari.conf.',
    retryable: true,
  },
  PBX_NO_SUCH_CALL: { meaning: 'The PBX does not know this call (any more).', action: 'None: the caller has hung up.', retryable: false },
  PBX_BAD_STATE: {
    meaning: 'The PBX refused the command in the present state of the call.',
    action: 'Report it with the log of the call.',
    retryable: false,
  },
  PBX_BAD_INPUT: {
    meaning: 'A name or address meant for the PBX has characters that are not allowed, or does not exist there.',
    action: 'Correct the desk, context, extension or variable named in the message.',
    retryable: false,
  },
  PBX_TIMEOUT: {
    meaning: 'The PBX did not answer in time; the command may have run.',
    action: 'Check the load of the PBX.',
    retryable: true,
  },
  PBX_FAILED: { meaning: 'The PBX answered with an error.', action: 'See the message of the PBX.', retryable: false },
  STT_FAILED: {
    meaning: 'The recogniser failed on this utterance.',
    action: 'See the log of the recogniser; it is restarted by itself.',
    retryable: true,
  },
  STT_MODEL: { meaning: 'The recogniser cannot load its model file.', action: 'Check stt.model; verify the file.', retryable: false },
  STT_ABORTED: { meaning: 'The decode was given up by us.', action: 'None.', retryable: false },
  TTS_FAILED: { meaning: 'The synthesiser failed on this text.', action: 'See the log of the synthesiser.', retryable: true },
  TTS_VOICE: {
    meaning: 'A voice file cannot be used.',
    action: 'See the message; download the voice again or choose another one.',
    retryable: false,
  },
  TURN_DETECTOR: {
    meaning: 'The end-of-turn model cannot be used.',
    action: 'Check turn.detector.model: an ONNX file with [1, samples] or [1, 80, frames] in and one probability out.',
    retryable: false,
  },
  VAD_MODEL: {
    meaning: 'The voice activity model cannot be used.',
    action: 'Check vad.model; the file that comes with Parley is in models/vad.',
    retryable: false,
  },
  LLM_FAILED: {
    meaning: 'The language-model server could not be reached or broke off.',
    action: 'Check the server named in the message and its log.',
    retryable: true,
  },
  LLM_TIMEOUT: {
    meaning: 'The language model did not answer within its budget.',
    action: 'Look at the load of the server, or widen the budget named in the message.',
    retryable: true,
  },
  LLM_BAD_OUTPUT: {
    meaning: 'The language-model server answered in a wrong shape: no protocol, half an answer, or broken tool arguments.',
    action: 'See the message; check that the server speaks the configured protocol.',
    retryable: true,
  },
  LLM_REFUSED: {
    meaning: 'The language-model server refused the request: wrong key, unknown parameter or a prompt that is too long.',
    action: 'Correct what the status in the message points to.',
    retryable: false,
  },
  LLM_MODEL: {
    meaning: 'The language-model server does not have the configured model.',
    action: 'Load the model there, or name another one.',
    retryable: false,
  },
  LLM_EXTERNAL: {
    meaning: 'The host of a language model is outside private networks and no processor and legal basis are configured.',
    action: 'Use a local server, or name processor and legalBasis for this engine.',
    retryable: false,
  },
  ENGINE_BUSY: {
    meaning: 'An engine has no free place and the bounded wait for one is over.',
    action: 'Add capacity or lower the number of calls.',
    retryable: true,
  },
  ENGINE_FAILED: { meaning: 'An engine failed in a way that it did not name.', action: 'See the log of the engine.', retryable: true },
  ENGINE_TIMEOUT: {
    meaning: 'An engine did not answer within its budget.',
    action: 'Look at the load of the engine, or widen its budget.',
    retryable: true,
  },
  ENGINE_OPEN: {
    meaning: 'An engine failed too often and is left alone for a while.',
    action: 'See the log of the engine; it is tried again by itself.',
    retryable: true,
  },
  ENGINE_EXTERNAL: {
    meaning: 'The host of a recogniser or synthesiser is outside private networks and no processor and legal basis are configured.',
    action: 'Use a local engine, or name processor and legalBasis for this one.',
    retryable: false,
  },
  STORE_DOWN: {
    meaning: 'Postgres cannot be reached.',
    action: 'Check Postgres; events wait in the spool until it is back.',
    retryable: true,
  },
  STORE_REFUSED: { meaning: 'Postgres refused a statement.', action: 'See the message of Postgres.', retryable: false },
  STORE_DRIFT: {
    meaning: 'The database schema is not the one that the migrations make.',
    action: 'Restore the schema or run parley migrate.',
    retryable: false,
  },
  SPOOL_FAILED: {
    meaning: 'The spool could not be written: disk full or read-only.',
    action: 'Free the disk; new calls follow audit.whenFull.',
    retryable: true,
  },
  SPOOL_CORRUPT: {
    meaning: 'The spool holds bytes that are no events.',
    action: 'Keep the file, run parley audit verify, see docs/runbook.md.',
    retryable: false,
  },
  CHAIN_FORK: {
    meaning: 'The database holds another event at our place in the chain.',
    action: 'Treat as tampering: run parley audit verify.',
    retryable: false,
  },
  FLOW_NO_VERSION: {
    meaning: 'There is no version of the flow to go back to.',
    action: 'See parley flows list; activate the version that is wanted.',
    retryable: false,
  },
  INBOX_ITEM: {
    meaning: 'There is no such item in the inbox, or more than one is meant.',
    action: 'See parley inbox list; items go when their time (data.inbox) is over, and with the person who is erased.',
    retryable: false,
  },
  KNOWLEDGE_FOLDER: {
    meaning: 'A folder of the knowledge cannot be indexed; what was indexed before is kept.',
    action: 'See the message; correct knowledge.folders or the folder.',
    retryable: false,
  },
  KNOWLEDGE_EMBEDDING: {
    meaning: 'The embedding model gave no vectors.',
    action: 'Check the server named in the message, or remove knowledge.embedding: passages are then found by their words.',
    retryable: true,
  },
  APPROVAL_GONE: {
    meaning: 'A request for an approval is not open any more.',
    action: 'None: look at the list of open requests again.',
    retryable: false,
  },
  CALL_NO_FLOW: {
    meaning: 'The dialplan asked for a flow that does not exist.',
    action: 'Correct flow= in the dialplan or add the flow file.',
    retryable: false,
  },
  CALL_NO_DESK: {
    meaning: 'A flow transfers to a desk that is not configured.',
    action: 'Add the desk to desks in the configuration.',
    retryable: false,
  },
  SIP_MALFORMED: {
    meaning: "A datagram on the test caller's SIP port is no SIP message.",
    action: 'None: it was counted and ignored.',
    retryable: false,
  },
  CALLER_FAILED: {
    meaning: 'The built-in test caller could not do its part.',
    action: 'See the message; it says which part and why.',
    retryable: false,
  },
  CALLER_SCRIPT: {
    meaning: 'A script of the built-in test caller is not valid.',
    action: 'Correct the step named in the message.',
    retryable: false,
  },
  MODEL_UNKNOWN: {
    meaning: 'models/models.json has no model of this name.',
    action: 'parley models list shows the names.',
    retryable: false,
  },
  MODEL_DOWNLOAD: {
    meaning: 'A model file could not be downloaded.',
    action: 'Run the command again, it goes on where it stopped; or copy the files by hand as it says.',
    retryable: true,
  },
  MODEL_DAMAGED: {
    meaning: 'A model file does not have the size or hash that models.json promises.',
    action: 'Pull it again; if that repeats, do not use the file.',
    retryable: false,
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** Where in a file something is wrong; lines and columns count from 1. */
export interface FilePlace {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  readonly key?: string;
}

export class ParleyError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly place: FilePlace | undefined;
  constructor(code: ErrorCode, message: string, options: { cause?: unknown; place?: FilePlace } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'ParleyError';
    this.code = code;
    this.retryable = ERRORS[code].retryable;
    this.place = options.place;
  }
}
