/** The PBX port under the name that telephony uses for it. The port itself is contracts/pbx.ts. */
export type { HangupReason, PbxCall, PbxCallId, PbxDriver, PbxEvent, PbxMedia } from '../contracts/index.ts';
