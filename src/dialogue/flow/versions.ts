/**
 * Versions of flows, kept by the hash of their content. What is active, what was before it and what a share of the calls tries is plain data;
 * which version a call gets depends on its id alone, so that it can be told again later.
 */
import { createHash } from 'node:crypto';

export interface FlowVersions {
  /** The version that calls get; null: the file as it is. */
  readonly active: string | null;
  /** Active before, newest first. */
  readonly previous: readonly string[];
  readonly canary: { readonly version: string; readonly percent: number } | null;
}

export const NO_VERSIONS: FlowVersions = { active: null, previous: [], canary: null };

const KEPT = 20;

/** Makes a version active, for all calls or for `percent` of them. */
export function activate(state: FlowVersions, version: string, percent = 100): FlowVersions {
  if (percent < 100) return { ...state, canary: { version, percent } };
  if (state.active === version) return { ...state, canary: null };
  return {
    active: version,
    previous: state.active === null ? state.previous : [state.active, ...state.previous].slice(0, KEPT),
    canary: null,
  };
}

/** Takes a canary back, or else the last activation. Null when there is nothing before. */
export function rollback(state: FlowVersions): FlowVersions | null {
  if (state.canary !== null) return { ...state, canary: null };
  const [before, ...previous] = state.previous;
  return before === undefined ? null : { active: before, previous, canary: null };
}

/** The version of one call. */
export function versionFor(state: FlowVersions, callId: string): string | null {
  if (state.canary === null) return state.active;
  const share = createHash('sha256').update(callId).digest().readUInt32BE(0) / 2 ** 32;
  return share * 100 < state.canary.percent ? state.canary.version : state.active;
}
