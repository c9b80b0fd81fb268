/** From the configuration to the parts: what each key becomes. No part is started here but the private PBX. */
export { capacityOptions } from './capacity.ts';
export { createEngines } from './engine-room.ts';
export { createLlm, createStt, createTts } from './engines.ts';
export { approvalActs, createApprovals } from './approvals.ts';
export { createCorrections } from './corrections.ts';
export { FlowDesk } from './flow-desk.ts';
export { callableFlows, checkFlows, localDay } from './flows.ts';
export { configHash, PROJECT_ROOT, readOrCreateToken, version } from './host.ts';
export { auditOptions, callMemory, keysFolder, loginOf, openCallFiles, storeOptions, turnRecords } from './log.ts';
export { destinations } from './outbound.ts';
export { createPrivacyParts, recordingPolicy } from './privacy.ts';
export { indexAll, keepIndexed, knowledgeEmbedder, knowledgeTools } from './knowledge.ts';
export { createPbx, type Pbx } from './pbx.ts';
export { createDetector, turnOptions } from './turn.ts';
export { createErrands } from './tools.ts';
export { keepNoLonger, startUpkeep } from './upkeep.ts';
export { type SubjectAct, subjectActs } from './subject-acts.ts';
export { createVoiceDetector, mediaFormats, voiceHealth } from './voice.ts';
