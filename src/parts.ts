/** From the configuration to the parts: what each key becomes. No part is started here but the private PBX. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { type AuditOptions, eraseSubject, exportSubject, type SubjectDesk } from './audit/index.ts';
import type { Act } from './http/index.ts';
import { type Config, readSecret } from './config/index.ts';
import {
  type Dialogue,
  type Logger,
  ParleyError,
  type PbxDriver,
  type Problem,
  ProblemsError,
  type TextToSpeech,
} from './contracts/index.ts';
import { createDialogue, desksOf, type FlowSet, type LoadedFlow } from './dialogue/index.ts';
import type { StoreOptions } from './store/index.ts';
import { createAsterisk, type PrivateAsteriskOptions, startPrivateAsterisk } from './telephony/index.ts';
import { createEspeak, createPiper } from './tts/index.ts';

export const PROJECT_ROOT = join(import.meta.dirname, '..');
const RECOGNISER = join(PROJECT_ROOT, '.runtime/whisper/parley-whisper');

export function version(): string {
  const packaged = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as { version: string };
  return packaged.version;
}

/** What the log says about the configuration: two starts with the same hash ran alike. */
export function configHash(config: Config): string {
  return createHash('sha256').update(JSON.stringify(config)).digest('hex');
}

export function auditOptions(config: Config): Pick<AuditOptions, 'folder' | 'content' | 'anchorFile' | 'maxBytes' | 'gateway'> {
  const { spoolDirectory, contentDays, anchorFile, spoolMaxBytes } = config.audit;
  return {
    folder: spoolDirectory,
    gateway: config.gateway.name,
    content: contentDays === 0 ? 'discard' : { retentionDays: contentDays },
    maxBytes: spoolMaxBytes,
    ...(anchorFile === null ? {} : { anchorFile }),
  };
}

export const keysFolder = (config: Config): string => join(config.audit.spoolDirectory, 'keys');

/** What may be done for a person whose number is given: everything kept about him as vCon, or its erasure. */
export function subjectActs(desk: SubjectDesk): Readonly<Record<'/v1/subjects/export' | '/v1/subjects/erase', Act>> {
  const text = (input: Readonly<Record<string, unknown>>, key: string): string => {
    const value = input[key];
    if (typeof value === 'string' && value !== '' && value.length <= 200) return value;
    throw new ParleyError('CONFIG_INVALID', `'${key}' is missing, expected a text of at most 200 characters`);
  };
  return {
    '/v1/subjects/export': (input) => exportSubject(desk, text(input, 'number')),
    '/v1/subjects/erase': (input) => eraseSubject(desk, text(input, 'number'), text(input, 'reason')),
  };
}

/** What `parley replay` reads later; without words unless what was said is kept anyway. */
export function turnRecords(config: Config): { turnRecords?: { folder: string; words: boolean } } {
  const { directory } = config.replay;
  return directory === null ? {} : { turnRecords: { folder: directory, words: config.audit.contentDays > 0 } };
}

export async function storeOptions(config: Config, log: Logger): Promise<StoreOptions> {
  if (config.store.kind === 'embedded') return { log, embedded: { dataDir: config.store.directory } };
  return { log, connectionString: await readSecret(config.store.urlFile) };
}

export function sttOptions(config: Config): { program: string; model: string; threads?: number; lanes?: number } {
  if (!existsSync(RECOGNISER)) throw new ParleyError('STT_MODEL', `the recogniser program ${RECOGNISER} is not built: run npm run setup`);
  const { model, threads, lanes } = config.stt;
  return { program: RECOGNISER, model, ...(threads === null ? {} : { threads }), ...(lanes === null ? {} : { lanes }) };
}

/**
 * espeak-ng: one waiting process for each text ('spawn'), not one for all. Its vibrato runs on from text to text, so that in one
 * process the same words never sound the same twice, and nobody could check later what was said (docs/adr/0001).
 */
export function createTts(config: Config, logger: Logger): TextToSpeech {
  const { engine, model, voice, rateWpm } = config.tts;
  const { language } = config.stt;
  if (engine === 'piper' && model !== null) return createPiper({ voices: { [language]: { model, languages: [language] } }, logger });
  return createEspeak({ voices: { [language]: voice }, language, rateWpm, mode: 'spawn', logger });
}

/** Every flow in every configuration must find its desks, and the default flow must exist. Errors: ProblemsError. */
export function checkFlows(flows: FlowSet, config: Config): void {
  const problems: Problem[] = [];
  if (!flows.has(config.flows.default)) {
    const message = `there is no flow '${config.flows.default}', expected one of: ${[...flows.keys()].join(', ')}`;
    problems.push({ code: 'CONFIG_INVALID', place: { file: config.file, key: 'flows.default' }, message });
  }
  for (const [name, { flow }] of flows) {
    for (const desk of desksOf(flow)) {
      if (desk in config.desks) continue;
      const message = `flow '${name}' transfers to desk '${desk}', expected it here with its context and extension`;
      problems.push({ code: 'CONFIG_INVALID', place: { file: config.file, key: `desks.${desk}` }, message });
    }
  }
  const [first, ...rest] = problems;
  if (first !== undefined) throw new ProblemsError([first, ...rest]);
}

/**
 * Steps that ask something outside (a tool, a model, a colleague) are carried out in simulations only; in a call nobody would answer
 * them. Flows with such steps are therefore not offered to callers.
 */
export function callableFlows(flows: FlowSet): { callable: FlowSet; simulatedOnly: readonly string[] } {
  const asksOutside = (flow: LoadedFlow['flow']): boolean =>
    Object.values(flow.steps).some((step) => step.t === 'do' || step.t === 'agent' || (step.t === 'route' && step.model !== null));
  const callable = new Map([...flows].filter(([, { flow }]) => !asksOutside(flow)));
  return { callable, simulatedOnly: [...flows.keys()].filter((name) => !callable.has(name)) };
}

export interface Dialogues {
  /** The flow as it runs today ("tomorrow" depends on it); undefined when there is none of this name. */
  get(name: string, today: string): Dialogue<unknown> | undefined;
  /** Flow name to content hash. */
  readonly versions: Readonly<Record<string, string>>;
}

export function createDialogues(flows: FlowSet, config: Config): Dialogues {
  const ready = new Map<string, Dialogue<unknown>>();
  let day = '';
  return {
    versions: Object.fromEntries([...flows].map(([name, { flow }]) => [name, flow.version])),
    get(name, today) {
      if (today !== day) ready.clear();
      day = today;
      const loaded = flows.get(name);
      if (loaded === undefined) return undefined;
      const made = ready.get(name) ?? createDialogue(loaded.flow, { facts: loaded.facts, today, desks: Object.keys(config.desks) });
      ready.set(name, made);
      return made;
    },
  };
}

/** 'YYYY-MM-DD' on the wall clock of the machine. */
export function localDay(wallUs: number): string {
  const at = new Date(wallUs / 1000);
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, '0')}-${String(at.getDate()).padStart(2, '0')}`;
}

export interface Pbx {
  readonly driver: PbxDriver;
  /** Where phones reach a private Asterisk. */
  readonly sip: { readonly host: string; readonly port: number } | null;
  stop(): Promise<void>;
}

/** The PBX of the operator, or a private one. Errors: PBX_FAILED, PORT_IN_USE, CONFIG_INVALID. */
export async function createPbx(config: Config, logger: Logger): Promise<Pbx> {
  const { app, user, url, passwordFile } = config.pbx;
  if (!config.pbx.private) {
    const password = passwordFile === null ? '' : await readSecret(passwordFile);
    const driver = createAsterisk({ url, app, user, password, logger });
    return { driver, sip: null, stop: () => Promise.resolve() };
  }
  const own = await startPrivateAsterisk(await privateAsterisk(config));
  logger.info('private asterisk is up', { version: own.version, sipPort: own.sipPort });
  const wanted = { stop: false };
  void own.exited.then(() => {
    if (!wanted.stop) logger.error('the private asterisk has ended by itself; restart Parley', { log: own.logFile });
  });
  const driver = createAsterisk({ url: own.ariUrl, app, user: own.ariUser, password: own.ariPassword, logger });
  return { driver, sip: { host: own.sipHost, port: own.sipPort }, stop: () => ((wanted.stop = true), own.stop()) };
}

async function privateAsterisk(config: Config): Promise<PrivateAsteriskOptions> {
  return {
    runDir: join(dirname(config.audit.spoolDirectory), 'asterisk-run'),
    ariPort: await freePort(),
    sipPort: config.pbx.sipPort,
    rtpPortMin: config.pbx.rtpPorts.min,
    rtpPortMax: config.pbx.rtpPorts.max,
  };
}

/** A TCP port of loopback that nobody listens on at this moment. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Made at the first start, readable by its owner alone. */
export async function readOrCreateToken(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const token = randomBytes(24).toString('hex');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, `${token}\n`, { mode: 0o600, flag: 'wx' });
    return token;
  }
}
