/** From the configuration to the parts: what each key becomes. No part is started here but the private PBX. */
export { createTts, sttOptions } from './engines.ts';
export { callableFlows, checkFlows, createDialogues, type Dialogues, localDay } from './flows.ts';
export { configHash, PROJECT_ROOT, readOrCreateToken, version } from './host.ts';
export { auditOptions, keysFolder, openCallFiles, storeOptions, subjectActs, turnRecords } from './log.ts';
export { createPbx, type Pbx } from './pbx.ts';
export { createErrands } from './tools.ts';
