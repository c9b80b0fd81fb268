/**
 * ARI for ever: connects, tells what comes in, and connects again with growing waits when the line is cut.
 * One request method, typed from Asterisk's own description. Knows nothing of calls.
 */
import { ParleyError } from '../../contracts/index.ts';
import type { Logger } from '../../contracts/index.ts';
import { AriConnection } from './ari-connection.ts';
import type { AriEvent } from './ari-types.ts';
import { buildRequest } from './ari-wire.ts';
import type { AriArguments, AriOperation, AriResult } from './ari-wire.ts';
import { AriRefusal, refusal } from './failure.ts';
import type { AsteriskTiming } from './options.ts';

export interface AriClientOptions {
  readonly url: string;
  readonly app: string;
  readonly user: string;
  readonly password: string;
  readonly logger: Logger;
  readonly timing: AsteriskTiming;
  readonly count: (what: string) => void;
  readonly onEvent: (event: AriEvent) => void;
  /** The socket is open. What it does (list, sweep) belongs to the attempt: when it throws, the attempt has failed. */
  readonly onConnected: (attempt: number) => Promise<void>;
  /** The line is down, or an attempt failed. `cut` is true when it had been up. */
  readonly onDown: (down: { why: string; attempt: number; cut: boolean; error: ParleyError }) => void;
}

export class AriClient {
  readonly #options: AriClientOptions;
  #connection: AriConnection | undefined;
  #up = false;
  #stopped = true;
  #attempt = 0;
  #failures = 0;
  #replaced = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AriClientOptions) {
    this.#options = options;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#failures = 0;
    void this.#connect();
  }

  /** Resolves when Asterisk has said goodbye too: who takes our name next must not meet the end of this connection. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#connection?.goodbye();
  }

  /** The next attempt waits longer: another program has our application name, and taking it back at once would start a fight. */
  yieldName(): void {
    this.#replaced = true;
    this.#connection?.close('another program took the application name');
  }

  /**
   * Sends one request. The type argument is found from the operation: `request('GET /channels', {})`.
   * Errors: PBX_LINK_DOWN, PBX_TIMEOUT, and AriRefusal for any status of 400 or more.
   */
  async request<O extends AriOperation>(operation: O, args: AriArguments<O>): Promise<AriResult<O>> {
    const connection = this.#connection;
    if (connection === undefined) throw new ParleyError('PBX_LINK_DOWN', 'There is no connection to Asterisk.');
    const request = buildRequest(operation, args.path, args.query);
    try {
      const reply = await connection.request(request);
      if (reply.status >= 400) throw refusal(request, reply);
      return reply.body as AriResult<O>;
    } catch (error) {
      if (error instanceof ParleyError && !(error instanceof AriRefusal))
        this.#options.count(error.code === 'PBX_TIMEOUT' ? 'timeouts' : 'linkErrors');
      throw error;
    }
  }

  async #connect(): Promise<void> {
    const attempt = ++this.#attempt;
    const { url, app, user, password, timing, count, onEvent } = this.#options;
    let connection: AriConnection | undefined;
    try {
      connection = await AriConnection.open({
        url, app, user, password, timing, onEvent,
        onOddity: count,
        onClose: (why) => {
          if (connection !== undefined && this.#connection === connection) this.#closed(why);
        },
      }); // prettier-ignore
      if (this.#stopped) {
        connection.close('stopped');
        return;
      }
      this.#connection = connection;
      await this.#options.onConnected(attempt);
      this.#up = true;
      this.#failures = 0;
      count('connects');
    } catch (error) {
      if (connection !== undefined && this.#connection !== connection) return;
      this.#connection = undefined;
      connection?.close('the first requests failed');
      this.#failed(asParleyError(error), attempt, false);
    }
  }

  #closed(why: string): void {
    this.#connection = undefined;
    if (this.#stopped) return;
    const cut = this.#up;
    this.#up = false;
    this.#failed(new ParleyError('PBX_LINK_DOWN', `The connection to Asterisk is down: ${why}.`), this.#attempt, cut);
  }

  #failed(error: ParleyError, attempt: number, cut: boolean): void {
    if (this.#stopped) return;
    const { backoffMinMs, backoffMaxMs, replacedMs } = this.#options.timing;
    this.#options.count(cut ? 'cuts' : error.code === 'PBX_AUTH' ? 'authFailures' : 'connectFailures');
    // Full waits double; the upper half is random, so that several gateways do not come back in step.
    const fullMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.#failures++, 16));
    const waitMs = this.#replaced ? replacedMs : fullMs * (0.5 + Math.random() / 2);
    this.#replaced = false;
    this.#timer = setTimeout(() => void this.#connect(), waitMs);
    this.#options.onDown({ why: error.message, attempt, cut, error });
  }
}

function asParleyError(error: unknown): ParleyError {
  if (error instanceof ParleyError) return error;
  return new ParleyError('PBX_FAILED', error instanceof Error ? error.message : 'unknown failure', { cause: error });
}
