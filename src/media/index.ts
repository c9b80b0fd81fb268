/**
 * The media engine's TypeScript face: calls' RTP sockets, playout and talk gate live in native/ on a thread of their own;
 * here arguments are checked, native answers become errors, and batched events reach their session's listener.
 *
 * It must not know: the PBX, what is said, why something is played. It never touches a packet or a frame.
 * Errors: MEDIA_ADDON (cannot be loaded), MEDIA_ADDON_VERSION (compiled from other sources than these), MEDIA_PORTS_EXHAUSTED (no port or no call slot free), MEDIA_CLOSED (the session
 * has ended), TypeError and RangeError for arguments that no caller may pass.
 */
export { createMediaEngine } from './engine.ts';
export type { MediaEngineExtras } from './engine.ts';
