/** A driver under test, its events kept in order, and its end taken care of. */
import type { PbxCallId, PbxDriver, PbxEvent } from '../../src/contracts/index.ts';
import { createAsterisk } from '../../src/telephony/index.ts';
import type { AsteriskTiming, PrivateAsterisk } from '../../src/telephony/index.ts';
import { silentLogger, until } from './asterisk.ts';

/** Keeps every event and waits for one. */
export class EventLog {
  readonly events: PbxEvent[] = [];
  constructor(pbx: PbxDriver) {
    pbx.onEvent((event) => this.events.push(event));
  }
  of(id: PbxCallId): PbxEvent[] {
    return this.events.filter((event) => 'id' in event && event.id === id);
  }
  async next<T extends PbxEvent['t']>(type: T, from = 0, withinMs = 10_000): Promise<Extract<PbxEvent, { t: T }>> {
    const find = (): PbxEvent | undefined => this.events.slice(from).find((event) => event.t === type);
    await until(`event ${type}`, () => find() !== undefined, withinMs);
    return find() as Extract<PbxEvent, { t: T }>;
  }
  async ended(id: PbxCallId): Promise<void> {
    await until('ended', () => this.of(id).some((event) => event.t === 'ended'));
  }
}

/** A driver for this Asterisk; `url` may lead over a wire that can be cut. */
export function driver(
  asterisk: PrivateAsterisk,
  options: { url?: string; password?: string; timing?: Partial<AsteriskTiming> } = {},
): PbxDriver {
  const { url = asterisk.ariUrl, password = asterisk.ariPassword, timing = {} } = options;
  return createAsterisk({ url, app: 'parley', user: asterisk.ariUser, password, logger: silentLogger, timing });
}

/** Started now, stopped at the end of the test. */
export async function connected(
  t: { teardown: (fn: () => unknown) => void },
  asterisk: PrivateAsterisk,
  options: Parameters<typeof driver>[1] = {},
): Promise<{ pbx: PbxDriver; log: EventLog }> {
  const pbx = driver(asterisk, options);
  const log = new EventLog(pbx);
  t.teardown(() => pbx.stop());
  await pbx.start();
  return { pbx, log };
}
