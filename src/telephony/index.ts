/**
 * Telephony: the PBX behind one port (contracts/pbx.ts). Asterisk through ARI today, FreeSWITCH to follow; a fake for tests.
 *
 * What it does: turns channels into calls, gives each call an RTP leg to a port of ours, sends callers on in the
 * dialplan, keeps the control line up for ever, and leaves no channel behind. It can also run a private Asterisk.
 *
 * What it must not know: flows, audio samples, words, the audit log. It never opens a media socket.
 *
 * Errors: PBX_LINK_DOWN, PBX_AUTH, PBX_NO_SUCH_CALL, PBX_BAD_STATE, PBX_BAD_INPUT, PBX_TIMEOUT (the command may have run),
 * PBX_FAILED; CONFIG_INVALID and PORT_IN_USE before anything is started.
 */
export type { HangupReason, PbxCall, PbxCallId, PbxDriver, PbxEvent, PbxMedia } from './switch.ts';
export { createAsterisk } from './asterisk/driver.ts';
export { checkMediaFormat } from './asterisk/options.ts';
export type { AsteriskOptions, AsteriskTiming } from './asterisk/options.ts';
export { findAsterisk } from './asterisk/private/find.ts';
export type { AsteriskProgram } from './asterisk/private/find.ts';
export { startPrivateAsterisk } from './asterisk/private/run.ts';
export type { PrivateAsterisk, PrivateAsteriskOptions } from './asterisk/private/run.ts';
export type { Desk } from './asterisk/private/render.ts';
export { createFakePbx } from './testing/fake-pbx.ts';
export type { FakeAction, FakePbx, FakePbxOptions } from './testing/fake-pbx.ts';
