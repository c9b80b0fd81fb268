/** The composition root: configuration -> parts -> call runner -> HTTP. What is plugged into what, and in which order it goes up and down. */
import { type Audit, createAudit, openCallsIn, openRestrictions } from './audit/index.ts';
import { CallRunner } from './call/index.ts';
import type { Config } from './config/index.ts';
import type { Logger, PbxDriver } from './contracts/index.ts';
import { type EgressGuard, guardEgress } from './egress/index.ts';
import { type HttpServer, startHttp } from './http/index.ts';
import { createMediaEngine } from './media/index.ts';
import { systemClock, systemTimers } from './observability/index.ts';
import {
  approvalActs,
  auditOptions,
  callMemory,
  capacityOptions,
  configHash,
  createDetector,
  createBudget,
  createCorrections,
  createEngines,
  createApprovals,
  createErrands,
  createInbox,
  createPbx,
  createPrivacyParts,
  createVoiceDetector,
  destinations,
  FlowDesk,
  inboxActs,
  keepBudget,
  keepIndexed,
  keysFolder,
  knowledgeTools,
  localDay,
  mediaFormats,
  openCallFiles,
  readOrCreateToken,
  recordingPolicy,
  startUpkeep,
  storeOptions,
  turnOptions,
  turnRecords,
  subjectActs,
  version,
  voiceHealth,
} from './parts/index.ts';
import { createStore, type Store } from './store/index.ts';

export interface Service {
  readonly runner: CallRunner;
  readonly audit: Audit;
  readonly store: Store;
  readonly http: HttpServer;
  readonly egress: EgressGuard;
  /** Where phones reach the private Asterisk; null when Parley stands behind one of the operator's. */
  readonly sip: { readonly host: string; readonly port: number } | null;
  /** Drains, says goodbye to the log, frees everything. Idempotent. */
  stop(reason: string): Promise<void>;
}

/** What went up, to be taken down in reverse. */
class Ups {
  readonly #downs: (() => unknown)[] = [];
  onDown(down: () => unknown): void {
    this.#downs.unshift(down);
  }
  async down(logger: Logger): Promise<void> {
    for (const down of this.#downs.splice(0)) {
      try {
        await down();
      } catch (error) {
        logger.error('a part did not stop cleanly', { reason: error instanceof Error ? error.message : String(error) });
      }
    }
  }
}

/** Errors: those of the parts, as ParleyError; nothing is left running then. */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  const ups = new Ups();
  try {
    return await start(config, logger, ups);
  } catch (error) {
    await ups.down(logger);
    throw error;
  }
}

async function start(config: Config, logger: Logger, ups: Ups): Promise<Service> {
  const flows = await FlowDesk.open({ config, hasModel: config.llm.engines.length > 0, logger });
  // Before anything is opened: from here on nothing leaves this machine but to what the configuration names.
  const egress = guardEgress(await destinations(config, flows.files));
  ups.onDown(() => egress.close());
  const engines = await createEngines(config, logger);
  const { stt, tts, llm } = engines;
  const { ports, host, maxCalls, historyMs, noise, echo, sockets } = config.media;
  const cleaning = { noise, echo };
  const keepSent = recordingPolicy(config) !== 'off';
  const media = createMediaEngine({
    ...{ host, portMin: ports.min, portMax: ports.max, maxCalls, historyMs, cleaning, keepSent, logger },
    sharedSocket: sockets === 'one',
  });
  ups.onDown(() => media.close());
  const turns = turnOptions(config);
  const detector = createDetector(config, logger);
  const vad = createVoiceDetector(config, logger);

  const store = createStore(await storeOptions(config, logger));
  const audit = createAudit({ ...auditOptions(config), store, clock: systemClock, log: logger });
  ups.onDown(() => store.stop());
  ups.onDown(() => audit.stop());
  ups.onDown(() => stt.stop());
  ups.onDown(() => vad.stop());
  ups.onDown(() => tts.stop());
  ups.onDown(() => detector?.stop());
  ups.onDown(() => llm?.stop());
  const today = (): string => localDay(systemClock.wallUs());
  // Side by side, because each takes a second; all are waited for, so that a failure leaves none half-started.
  const [pbx] = await allOrFirstError([
    createPbx(config, logger).then((made) => {
      ups.onDown(() => made.stop());
      return made;
    }),
    audit.start(),
    store.start(),
    stt.start(media.audio),
    vad.start(media.audio),
    llm?.start() ?? Promise.resolve(),
    detector?.start(media.audio) ?? Promise.resolve(),
    tts.start(),
  ]);

  const privacy = createPrivacyParts(config, { audit, audioFd: media.audio.fd, clock: systemClock, logger });
  ups.onDown(() => privacy.stop());
  const { secrets } = privacy;
  const desk = { audit, store, clock: systemClock, keysFolder: keysFolder(config) };
  const inbox = await createInbox(config, desk, logger);
  const own = { ...knowledgeTools(config, { store, audit, clock: systemClock, logger }), ...inbox.ports };
  ups.onDown(keepIndexed(config, { store, logger }));
  const approvals = createApprovals(config, { audit, clock: systemClock, timers: systemTimers, logger, pbx: pbx.driver, media, tts });
  const errands = await createErrands(config, {
    clock: systemClock,
    timers: systemTimers,
    approvers: approvals,
    model: llm,
    secrets,
    own,
    logger,
  });
  ups.onDown(() => errands.close());
  const openCalls = await openCallsIn({ ...openCallFiles(config), logger, inLog: audit.replay?.calls ?? null });
  ups.onDown(() => openCalls.settled());
  const restrictions = await openRestrictions({ folder: config.audit.spoolDirectory, keysFolder: keysFolder(config), store, log: logger });
  const budget = createBudget(config, store, { clock: systemClock, logger });
  const runner = new CallRunner(
    {
      pbx: pbx.driver,
      media,
      stt,
      vad,
      tts,
      outside: engines.outside,
      audit,
      logger,
      clock: systemClock,
      timers: systemTimers,
      flow: (name, callKey, begun) => flows.get(name === '' ? config.flows.default : name, today(), callKey, begun),
      desk: (name) => config.desks[name],
      errands: errands.desk,
      openCalls,
      ...(budget === null ? {} : { budget: () => budget.left() }),
      ...privacy.stages,
      ...(await callMemory(config, desk)),
      ...(detector === null ? {} : { detector }),
      admit: (from) => (restrictions.has(from) ? 'restricted' : audit.full ? config.audit.whenFull : 'continue'),
    },
    { ...mediaFormats(config), ...turns, drainMs: config.gateway.drainMs, ...turnRecords(config), ...capacityOptions(config) },
  );
  engines.follow(runner);
  ups.onDown(keepBudget(budget, runner));
  // Beside the calls: a caller whom a crash left in silence does not wait for it, nor does whoever changes a flow.
  const renderAhead = (): void =>
    void engines
      .prerender(flows.dialogues(today()), turns.fillers)
      .catch(() => logger.warn('not all texts of the flows are rendered ahead; the others are when said'));
  const http = await startHttp({
    host: config.http.host,
    port: config.http.port,
    token: await readOrCreateToken(config.http.tokenFile),
    runner,
    logger,
    acts: {
      ...approvalActs(approvals, createCorrections(config, { runner, audit, clock: systemClock, logger })),
      ...subjectActs(config, desk, restrictions),
      ...inboxActs(config, desk),
      ...flows.acts({
        before: (change) => runner.journal.before({ type: 'flow.changed', body: change }),
        changed: renderAhead,
      }),
    },
    health: () => ({
      postgres: store.state === 'up',
      spool: audit.healthy,
      backlog: audit.backlog,
      egressRefused: egress.refused,
      ...voiceHealth(vad),
    }),
  });
  ups.onDown(() => http.close());
  const body = { version: version(), config: configHash(config), flows: flows.versions };
  await runner.journal.before({
    type: 'gateway.started',
    body: { ...body, stt: stt.description, vad: vad.description, tts: tts.description, pbx: pbx.driver.kind },
  });
  const upkeep = startUpkeep({ config, desk, runner, egress, restrictions, inbox, logger });
  ups.onDown(upkeep);
  ups.onDown(() => pbx.driver.stop());
  await runner.recover();
  connect(pbx.driver, logger);
  renderAhead();
  logger.info('parley is up', { http: http.port, flows: Object.keys(flows.versions), sipPort: pbx.sip?.port ?? null });

  let stopping: Promise<void> | null = null;
  const stop = async (reason: string): Promise<void> => {
    logger.info('stopping', { reason, openCalls: runner.openCalls().length });
    await runner.drain();
    await runner.journal.before({ type: 'gateway.stopped', body: { reason } }).catch(() => undefined);
    await ups.down(logger);
    logger.info('parley is down');
  };
  return { runner, audit, store, http, egress, sip: pbx.sip, stop: (reason) => (stopping ??= stop(reason)) };
}

/** The driver goes on trying for ever; the first failure is worth a line, no more. */
function connect(driver: PbxDriver, logger: Logger): void {
  driver.start().catch((error: unknown) => {
    logger.error('the pbx refused us; trying on', { reason: error instanceof Error ? error.message : String(error) });
  });
}

async function allOrFirstError<T extends readonly unknown[]>(promises: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const settled = await Promise.allSettled(promises as readonly Promise<unknown>[]);
  const failed = settled.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return settled.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
}
