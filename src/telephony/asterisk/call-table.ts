/**
 * Which calls are ours, and what each event of Asterisk means for them. Decides only: no requests, no timers. So the
 * promises of the port can be tested on any order of events: `incoming` once, nothing before it, `ended` once, nothing after.
 */
import type { PbxCall, PbxCallId, PbxEvent } from '../../contracts/index.ts';
import type { AriChannel, AriEvent } from './ari-types.ts';
import { isChannel } from './ari-wire.ts';
import { callOf, parseArgs, stasisArgs } from './calls.ts';
import { reasonOf } from './causes.ts';
import type { LegIds } from './names.ts';

export interface HeldCall {
  call: PbxCall;
  leg: LegIds | undefined;
  /** From ChannelHangupRequest, for the `ended` that follows. */
  q850: number;
}

/** What came of one event: at most one thing to tell, one to count, and the call that is over by it. */
export interface Taken {
  readonly tell?: PbxEvent;
  readonly count?: 'badEvents' | 'duplicateStarts' | 'ignoredArgs';
  readonly by?: number;
  readonly over?: HeldCall;
}

const NOTHING: Taken = {};

/** What we read of a call's channel once it has started. All other events are known to be of no concern. */
const ABOUT_CALL = [
  'ChannelStateChange',
  'ChannelDtmfReceived',
  'ChannelHold',
  'ChannelUnhold',
  'ChannelHangupRequest',
  'StasisEnd',
  'ChannelDestroyed',
] as const satisfies readonly AriEvent['type'][];
type AboutCall = Extract<AriEvent, { type: (typeof ABOUT_CALL)[number] }>;

/** True when an event of this type must carry a channel for us. */
export function isAboutCall(event: AriEvent): event is AboutCall {
  return (ABOUT_CALL as readonly string[]).includes(event.type);
}

export class CallTable {
  readonly #app: string;
  readonly #calls = new Map<PbxCallId, HeldCall>();

  constructor(app: string) {
    this.#app = app;
  }

  get(id: PbxCallId): HeldCall | undefined {
    return this.#calls.get(id);
  }

  ids(): Set<PbxCallId> {
    return new Set(this.#calls.keys());
  }

  /** An event about a channel that is no media leg. */
  take(event: AriEvent, channel: AriChannel): Taken {
    const held = this.#calls.get(channel.id);
    if (event.type === 'StasisStart') return held === undefined ? this.#start(event.args, channel) : { count: 'duplicateStarts' };
    return held !== undefined && isAboutCall(event) ? this.#takeHeld(event, held, channel) : NOTHING;
  }

  /**
   * The table becomes what Asterisk has; calls that are gone are dropped without an `ended`: whoever gets the list compares.
   * `early` are events that came while the list was on its way and are taken right after: what starts there is left to them.
   */
  resync(channels: readonly AriChannel[], isMedia: (channelId: string) => boolean, early: readonly AriEvent[]): readonly PbxCall[] {
    const fresh = new Set(early.flatMap((event) => (event.type === 'StasisStart' && isChannel(event.channel) ? [event.channel.id] : [])));
    const calls: PbxCall[] = [];
    const present = new Set<PbxCallId>();
    for (const channel of channels) {
      if (!isChannel(channel) || isMedia(channel.id)) continue;
      const list = stasisArgs(channel, this.#app);
      const known = this.#calls.get(channel.id);
      if (list === undefined || (known === undefined && fresh.has(channel.id))) continue;
      const call = callOf(channel, known?.call.args ?? parseArgs(list).args);
      if (known === undefined) this.#calls.set(channel.id, { call, leg: undefined, q850: 0 });
      else known.call = call;
      present.add(channel.id);
      calls.push(call);
    }
    for (const id of this.ids()) if (!present.has(id)) this.#calls.delete(id);
    return calls;
  }

  #start(args: unknown, channel: AriChannel): Taken {
    const list: unknown[] = Array.isArray(args) ? args : [];
    const parsed = parseArgs(list.map(String));
    const call = callOf(channel, parsed.args);
    this.#calls.set(call.id, { call, leg: undefined, q850: 0 });
    const tell = { t: 'incoming', call } as const;
    return parsed.ignored === 0 ? { tell } : { tell, count: 'ignoredArgs', by: parsed.ignored };
  }

  #takeHeld(event: AboutCall, held: HeldCall, channel: AriChannel): Taken {
    const { id } = held.call;
    switch (event.type) {
      case 'ChannelStateChange':
        if (channel.state === 'Up') held.call = { ...held.call, state: 'up' };
        return NOTHING;
      case 'ChannelDtmfReceived':
        return key(id, event.digit, event.duration_ms);
      case 'ChannelHold':
        return { tell: { t: 'held', id } };
      case 'ChannelUnhold':
        return { tell: { t: 'resumed', id } };
      case 'ChannelHangupRequest':
        held.q850 = causeOf(event.cause) ?? held.q850;
        return NOTHING;
      case 'StasisEnd':
        return this.#end(held, held.q850);
      case 'ChannelDestroyed':
        return this.#end(held, causeOf(event.cause) ?? held.q850);
    }
  }

  /** Out of the table before anybody hears of it: so it cannot end twice. */
  #end(held: HeldCall, q850: number): Taken {
    this.#calls.delete(held.call.id);
    return { tell: { t: 'ended', id: held.call.id, reason: reasonOf(q850), q850 }, over: held };
  }
}

function key(id: PbxCallId, digit: unknown, durationMs: unknown): Taken {
  if (typeof digit !== 'string' || !/^[0-9A-D*#]$/.test(digit)) return { count: 'badEvents' };
  return { tell: { t: 'dtmf', id, digit, durationMs: typeof durationMs === 'number' ? Math.max(0, durationMs) : 0 } };
}

function causeOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 128 ? value : undefined;
}
