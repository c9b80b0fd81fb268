/**
 * The flows that calls get: which version of each, made ready once a day, changed while calls run without touching them. Every change is in
 * the log before it counts.
 */
import type { Config } from '../config/index.ts';
import { type CallEvent, type Dialogue, type Logger, ParleyError } from '../contracts/index.ts';
import { createDialogue, FlowShelf, loadNotices, type LoadedFlow, type Notices, withOpening } from '../dialogue/index.ts';
import type { Act } from '../http/index.ts';
import { callableFlows, checkFlows } from './flows.ts';
import { recordingPolicy } from './privacy.ts';
import { lacksOf } from './tools.ts';

type FlowChange = Extract<CallEvent, { type: 'flow.changed' }>['body'];

export interface FlowDeskOptions {
  readonly config: Config;
  readonly hasModel: boolean;
  readonly logger: Logger;
}

/** How a change is told to the rest: the log before, the voices after. */
export interface FlowDeskPorts {
  readonly before: (change: FlowChange) => Promise<unknown>;
  readonly changed: () => void;
}

interface FlowVersionLine {
  readonly flow: string;
  /** Null: calls get the file as it is. */
  readonly active: string | null;
  readonly file: string | null;
  readonly canary: { readonly version: string; readonly percent: number } | null;
  readonly previous: readonly string[];
}

export class FlowDesk {
  readonly #shelf: FlowShelf;
  readonly #options: FlowDeskOptions;
  readonly #notices: Notices;
  readonly #ready = new Map<string, Dialogue<unknown> | null>();
  #day = '';

  private constructor(shelf: FlowShelf, options: FlowDeskOptions, notices: Notices) {
    this.#shelf = shelf;
    this.#notices = notices;
    this.#options = options;
  }

  /** Errors: ProblemsError of the flows, or when the default flow cannot take calls. */
  static async open(options: FlowDeskOptions): Promise<FlowDesk> {
    const { config, hasModel, logger } = options;
    const shelf = await FlowShelf.open(config.flows.directory, config.flows.facts, config.tools.openapi);
    const { callable, lacking } = callableFlows(shelf.files, config, hasModel);
    for (const [flow, lacks] of Object.entries(lacking)) logger.warn('a flow lacks something and takes no calls', { flow, lacks });
    const notices = await loadNotices(config.privacy.notices);
    checkFlows(callable, config, notices);
    for (const problem of shelf.problems) logger.warn('a version of a flow cannot be used', { problem });
    return new FlowDesk(shelf, options, notices);
  }

  /** Flows as they are in their files: what the configuration must allow them to reach. */
  get files(): ReadonlyMap<string, LoadedFlow> {
    return this.#shelf.files;
  }

  /**
   * The flow of one call, as it runs today ("tomorrow" depends on it); `begun` is the version of a call that goes on after a restart.
   * Undefined when there is none, or it lacks something.
   */
  get(name: string, today: string, callKey: string, begun?: string): Dialogue<unknown> | undefined {
    if (today !== this.#day) this.#ready.clear();
    this.#day = today;
    const loaded = (begun === undefined ? undefined : this.#shelf.flowOf(name, begun)) ?? this.#shelf.flowFor(name, callKey);
    if (loaded === undefined) return undefined;
    const known = this.#ready.get(loaded.flow.version);
    const made = known === undefined ? this.#made(loaded, today) : known;
    this.#ready.set(loaded.flow.version, made);
    return made ?? undefined;
  }

  #made(loaded: LoadedFlow, today: string): Dialogue<unknown> | null {
    const { config, hasModel } = this.#options;
    if (lacksOf(loaded, config, hasModel).length > 0) return null;
    const flow = createDialogue(loaded.flow, { ...loaded, today, desks: Object.keys(config.desks) });
    return withOpening(flow, { notices: this.#notices, policy: recordingPolicy(config) });
  }

  /** Flow name to the version that calls get, those under trial beside it. */
  get versions(): Readonly<Record<string, string>> {
    const all = this.#shelf.names.flatMap((name): [string, string][] => {
      const { active, canary } = this.#shelf.versions(name);
      const file = this.#shelf.file(name)?.flow.version ?? '';
      const trial: [string, string][] = canary === null ? [] : [[`${name} (${canary.percent} %)`, canary.version]];
      return [[name, active ?? file], ...trial];
    });
    return Object.fromEntries(all);
  }

  /** Every flow that a call may get today, for rendering ahead. */
  dialogues(today: string): readonly Dialogue<unknown>[] {
    return this.#shelf.names.flatMap((name) => this.get(name, today, '') ?? []);
  }

  /** Acts of the HTTP interface: list, reload, activate, rollback. Errors: FLOW_INVALID, CONFIG_INVALID. */
  acts(ports: FlowDeskPorts): Readonly<Record<string, Act>> {
    return {
      '/v1/flows/list': () => Promise.resolve({ flows: this.#lines(), problems: this.#shelf.problems }),
      '/v1/flows/reload': async () => {
        await ports.before({ flow: '*', act: 'reload', version: null, percent: null });
        await this.#shelf.reload((files) => {
          const { config, hasModel } = this.#options;
          checkFlows(callableFlows(files, config, hasModel).callable, config, this.#notices);
        });
        return this.#told(ports);
      },
      '/v1/flows/activate': async (input) => {
        const name = this.#named(input);
        const percent = input['percent'] ?? 100;
        if (typeof percent !== 'number' || !(percent > 0 && percent <= 100))
          throw new ParleyError('CONFIG_INVALID', "'percent' is wrong, expected more than 0 and at most 100");
        const version = this.#shelf.file(name)?.flow.version ?? null;
        await ports.before({ flow: name, act: 'activate', version, percent });
        await this.#shelf.activate(name, percent);
        return this.#told(ports);
      },
      '/v1/flows/rollback': async (input) => {
        const name = this.#named(input);
        const { canary, previous, active } = this.#shelf.versions(name);
        if (canary === null && previous.length === 0)
          throw new ParleyError('FLOW_NO_VERSION', `flow '${name}' has no version before this one: nothing was changed`);
        const version = canary === null ? (previous[0] ?? null) : active;
        await ports.before({ flow: name, act: 'rollback', version, percent: null });
        await this.#shelf.rollback(name);
        return this.#told(ports);
      },
    };
  }

  #told(ports: FlowDeskPorts): unknown {
    for (const problem of this.#shelf.problems) this.#options.logger.warn('a version of a flow cannot be used', { problem });
    this.#ready.clear();
    ports.changed();
    return { flows: this.#lines(), problems: this.#shelf.problems };
  }

  #lines(): readonly FlowVersionLine[] {
    return this.#shelf.names.map((flow) => ({ flow, file: this.#shelf.file(flow)?.flow.version ?? null, ...this.#shelf.versions(flow) }));
  }

  #named(input: Readonly<Record<string, unknown>>): string {
    const name = input['flow'];
    if (typeof name === 'string' && this.#shelf.file(name) !== undefined) return name;
    throw new ParleyError('CONFIG_INVALID', `'flow' is wrong, expected one of: ${this.#shelf.names.join(', ')}`);
  }
}
