/**
 * The call: joins the stages (pipeline.ts, on one page), keeps all open calls (runner.ts).
 * Knows the ports of the PBX, media, engines and log, never what stands behind them. Decides nothing by itself:
 * turn/ and dialogue/ decide. Errors of a stage end the call at worst; they never leave this module.
 */
export { createDeskPhone } from './desk-phone.ts';
export { FILLERS } from './filler.ts';
export type { CallOptions, Fillers, LiveEvent, LiveListener, SpeakingEvent, Stages } from './ports.ts';
export { GOVERNOR_POLICY, type GovernorPolicy } from './governor.ts';
export { maskWords } from './recorder.ts';
export { createSecretStore } from './secret-store.ts';
export { CallRunner, type OpenCall } from './runner.ts';
