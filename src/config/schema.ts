/** Every key of the configuration: type, default and meaning. docs/config.md is generated from here. Keys are camelCase; units are in names. */
import { z } from 'zod';
import { approvalProblems, approvalsSchema } from './approvals.ts';
import { budgetSchema } from './budget.ts';
import { capacitySchema } from './capacity.ts';
import { dataProblems, dataSection } from './data-classes.ts';
import { engineProblems, enginesAt, llmSchema, modelNameProblems, sttSchema, ttsSchema } from './engines.ts';
import { inboxProblems, inboxSchema } from './inbox.ts';
import { toolsSchema } from './tools.ts';
import { turnSchema } from './turn.ts';
import { knowledgeSection } from './knowledge-section.ts';
import { vadSchema } from './vad.ts';

const path = z.string().trim().min(1, 'expected a path');
const host = z.string().regex(/^[A-Za-z0-9.:-]{1,253}$/, 'expected a host name or an IP address');
const port = z.int('expected a port, 1 to 65535').min(1, 'expected a port, 1 to 65535').max(65535, 'expected a port, 1 to 65535');
const label = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,59}$/, 'expected letters, digits, dots and hyphens');
const word = z.string().regex(/^[A-Za-z0-9_-]{1,60}$/, 'expected letters, digits, hyphens and underlines');
const ms = (min: number, max: number) => {
  const expected = `expected milliseconds, ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
};
const count = (min: number, max: number) => {
  const expected = `expected a whole number, ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
};

/** "30000-30999" */
const ports = z.string('expected a port range in quotes, as in "30000-30999"').refine((text) => {
  const range = portRange(text);
  return range !== null && range.min >= 1024 && range.max <= 65535 && range.min < range.max;
}, 'expected a port range from 1024 to 65535 in quotes, as in "30000-30999"');

export function portRange(text: string): { readonly min: number; readonly max: number } | null {
  const match = /^(\d{1,5})\s*-\s*(\d{1,5})$/.exec(text.trim());
  return match === null ? null : { min: Number(match[1]), max: Number(match[2]) };
}

const pbxUrl = z
  .string()
  .refine((text) => !/^[a-z]+:\/\/[^/]*@/i.test(text), 'has a user or a password in it, expected them in pbx.user and pbx.passwordFile')
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), 'expected a URL, as in "http://127.0.0.1:8088"');

const gateway = z.strictObject({
  name: label.default('parley').describe('Name of this gateway in the log: each gateway of a site has its own.'),
  drainSeconds: count(0, 3600).default(30).describe('After SIGTERM, open calls may go on for so long; then they go back to the dialplan.'),
});

const pbx = z.strictObject({
  kind: z.enum(['asterisk']).default('asterisk').describe('The PBX in front.'),
  private: z
    .union([z.boolean(), z.literal('auto')], { error: 'expected true, false or auto' })
    .default('auto')
    .describe('Start an own Asterisk, as npm run setup made it. auto: yes, unless passwordFile is given.'),
  url: pbxUrl.default('http://127.0.0.1:8088').describe("HTTP server of the PBX (Asterisk's http.conf), without user and password."),
  app: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_]{0,31}$/, 'expected 1 to 32 letters, digits and underlines, a letter first')
    .default('parley')
    .describe('Name of the application in Asterisk: what Parley puts into PARLEY_APP, and Stasis(${PARLEY_APP}) of the dialplan calls.'),
  user: word.default('parley').describe('User in ari.conf.'),
  passwordFile: path.optional().describe('File that holds the password of this user and nothing else.'),
  leaseSeconds: count(0, 3600)
    .default(20)
    .describe(
      'A call that nobody renews for so long goes to extension T of its context, or is hung up where there is none: its gateway is gone and did not come back. More than a restart takes; 0: it waits for ever.',
    ),
  sipPort: port.default(5070).describe('UDP port for SIP of the own Asterisk, on loopback.'),
  rtpPorts: ports.default('31000-31999').describe('UDP ports for RTP of the own Asterisk.'),
});

const media = z.strictObject({
  host: host.default('127.0.0.1').describe('Address for RTP with the PBX; another one only when the PBX is on another host.'),
  ports: ports.default('30000-30999').describe('UDP ports for RTP and RTCP with the PBX: two for each call.'),
  sockets: z
    .enum(['per-call', 'one'])
    .default('per-call')
    .describe(
      "one: a single port for all calls, told apart by the PBX's ports (Asterisk has one for each): a port to open in a firewall and a little less CPU, but one buffer for all, which net.core.rmem_max limits.",
    ),
  maxCalls: count(1, 10_000).default(100).describe('Calls at once; sizes the shared audio memory.'),
  codec: z
    .enum(['ulaw', 'alaw', 'slin', 'g722', 'slin16'])
    .default('ulaw')
    .describe('Audio format between the PBX and Parley. Wideband: g722, or slin16 (16 kHz to us, G.722 back, nothing to decode).'),
  historyMs: ms(5000, 300_000).default(30_000).describe("The caller's audio kept in memory for the recogniser."),
  noise: z.enum(['off', 'suppress']).default('off').describe('Take steady noise out before recognition. Needs libspeexdsp.'),
  echo: z.enum(['off', 'cancel']).default('off').describe('Take our own voice out of speakerphones and poor adapters. Needs libspeexdsp.'),
});

const flows = z.strictObject({
  directory: path.default('config/flows').describe('Folder of the flow files.'),
  default: word.default('booking').describe('Flow for a call whose dialplan names none.'),
  facts: path.default('config/facts').describe('Folder of the knowledge files.'),
});

const desk = z.strictObject({
  context: word.describe('Context of the dialplan.'),
  extension: z
    .string('expected an extension in quotes, as in "200"')
    .regex(/^[A-Za-z0-9*#+_-]{1,40}$/, 'expected an extension in quotes, as in "200"')
    .describe('Extension in it.'),
  names: z
    .array(z.string().trim().min(1, 'expected a name').max(60, 'expected a name of at most 60 characters'))
    .max(100, 'expected at most 100 names')
    .default([])
    .describe('Who is reached there, by the names that callers say: the tool directory.find knows them, and the name of the desk.'),
  language: z
    .enum(['en', 'de', 'fr', 'es'])
    .optional()
    .describe('What is spoken at this desk when it is asked for an approval; approvals.language when left out.'),
});

const audit = z.strictObject({
  spoolDirectory: path.default('.runtime/spool').describe('Folder of the spool: every event is on this disk before it counts.'),
  spoolMaxMb: count(16, 1_000_000).default(1024).describe('Largest size of the spool, in megabytes.'),
  whenFull: z
    .enum(['block', 'people', 'continue'])
    .default('people')
    .describe(
      'New calls when the spool is full: block refuses them, people sends them to a person by the dialplan, continue takes them unlogged.',
    ),
  anchorFile: path.optional().describe('File for signed checkpoints, on another disk or host if possible; in the spool when left out.'),
  anchorCommand: z
    .array(z.string().min(1, 'expected a program and its arguments'))
    .min(1, 'expected a program and its arguments')
    .optional()
    .describe('Program and arguments that get each signed checkpoint on standard input, without a shell.'),
  anchorSyslog: z
    .strictObject({
      host: host.describe('Name of the collector, as its certificate has it.'),
      port: port.default(6514).describe('Its port for syslog over TLS (RFC 5425).'),
      caFile: path.describe('Certificate of the authority that signed its certificate, PEM.'),
      certFile: path.optional().describe('Our certificate, where the collector wants one.'),
      keyFile: path.optional().describe('The private key of certFile.'),
    })
    .optional()
    .describe('A log collector that also gets each signed checkpoint.'),
});

const privacy = z.strictObject({
  notices: path
    .default('config/notices.yaml')
    .describe('Wording of what every caller is told and asked before anything else, by language, with its version.'),
  maskDigits: count(0, 32)
    .default(6)
    .describe(
      'Numbers of so many digits and more, IBANs and e-mail addresses are replaced in what is kept of a call and silent in its recording; 0 keeps them.',
    ),
  recordings: path
    .default('.runtime/recordings')
    .describe(
      'Folder of the recordings, encrypted. Calls are recorded only when data.recording.days is not 0; with basis consent, only after a yes.',
    ),
});

const replay = z.strictObject({
  directory: path
    .optional()
    .describe('Folder for the turn events of each call, without words, for parley replay; nothing is kept when left out.'),
});

const store = z.strictObject({
  urlFile: path.optional().describe('File that holds the URL of an own Postgres, password included, and nothing else.'),
  embedded: z
    .strictObject({ directory: path.default('.runtime/postgres').describe('Folder of the embedded Postgres.') })
    .optional()
    .describe('A Postgres that Parley starts itself; used when urlFile is left out.'),
  auditorUrlFile: path.optional().describe('The same database with the login auditor: parley audit verify and parley report use it.'),
  dpoUrlFile: path.optional().describe('With the login dpo: legal holds and restrictions.'),
  retentionUrlFile: path.optional().describe('With the login gw_retention: drops months of the chain whose time is over.'),
});

const http = z.strictObject({
  host: host.default('127.0.0.1').describe('Address of the HTTP interface; loopback unless a proxy with TLS stands in front.'),
  port: port.default(8787).describe('Its port.'),
  tokenFile: path.default('.runtime/http-token').describe('File with the token of the HTTP interface; made when it is not there.'),
});

const log = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least important lines that are written to stdout.'),
});

export const configSchema = z
  .strictObject({
    gateway: gateway.prefault({}).describe('This program.'),
    pbx: pbx.prefault({}).describe('Asterisk in front of Parley.'),
    media: media.prefault({}).describe('Audio between the PBX and Parley.'),
    vad: vadSchema.prefault({}).describe('Which sounds are a voice.'),
    stt: sttSchema.prefault({}).describe('From speech to text.'),
    tts: ttsSchema.prefault({}).describe('From text to speech.'),
    llm: llmSchema.prefault({}).describe('Language models.'),
    capacity: capacitySchema.prefault({}).describe('What is done when callers begin to wait.'),
    budget: budgetSchema
      .nullable()
      .transform((given) => given ?? {})
      .prefault({})
      .describe('What all calls together may cost, in the currency of the prices: what is left is cost.left of flows.'),
    turn: turnSchema.prefault({}).describe('Whose turn it is.'),
    flows: flows.prefault({}).describe('What is said: docs/flows.md.'),
    desks: z
      .record(z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'expected a name of small letters, digits and underlines'), desk)
      .default({})
      .describe('Where people are reached, by the names that flows use.'),
    approvals: approvalsSchema.prefault({}).describe('Colleagues who agree to what a flow may not do alone: docs/flows.md.'),
    tools: toolsSchema.prefault({}).describe('What flows may reach outside: docs/flows.md. Nothing else is reachable.'),
    inbox: inboxSchema
      .nullable()
      .transform((given) => given ?? {})
      .prefault({})
      .describe('What callers leave for people: docs/flows.md.'),
    audit: audit.prefault({}).describe('The log that an auditor can verify.'),
    data: dataSection.prefault({}).describe('Which personal data is kept, how long, what for and on which legal basis.'),
    privacy: privacy.prefault({}).describe('What callers are told and asked, and what is never kept of them.'),
    knowledge: knowledgeSection.prefault({}).describe('Documents that answers are taken from: docs/knowledge.md.'),
    store: store.prefault({}).describe('Postgres.'),
    replay: replay
      .nullable()
      .transform((given) => given ?? {})
      .prefault({})
      .describe('Calls as the turn engine saw them.'),
    http: http.prefault({}).describe('Health, metrics and the console.'),
    log: log.prefault({}).describe('The operational log: JSON lines on stdout.'),
  })
  .superRefine((config, context) => {
    const range = portRange(config.media.ports);
    const count = range === null ? 0 : range.max - range.min + 1;
    if (config.media.sockets === 'per-call' && count > 0 && count < 2 * config.media.maxCalls) {
      context.addIssue({
        code: 'custom',
        path: ['media', 'ports'],
        message: `has ${count} ports, expected two for each of media.maxCalls (${config.media.maxCalls}): RTP and RTCP`,
      });
    }
    for (const { path: place, message } of approvalProblems(config))
      context.addIssue({ code: 'custom', path: ['approvals', ...place], message });
    for (const { path: place, message } of inboxProblems(config)) context.addIssue({ code: 'custom', path: ['inbox', ...place], message });
    for (const { path: place, message } of dataProblems(config.data))
      context.addIssue({ code: 'custom', path: ['data', ...place], message });
    for (const key of ['auditorUrlFile', 'dpoUrlFile', 'retentionUrlFile'] as const) {
      if (config.store[key] === undefined || config.store.urlFile !== undefined) continue;
      context.addIssue({
        code: 'custom',
        path: ['store', key],
        message: 'is given without store.urlFile: the embedded Postgres needs none',
      });
    }
    const syslog = config.audit.anchorSyslog;
    if (syslog !== undefined && (syslog.certFile === undefined) !== (syslog.keyFile === undefined)) {
      context.addIssue({
        code: 'custom',
        path: ['audit', 'anchorSyslog'],
        message: 'has one of certFile and keyFile, expected both or none',
      });
    }
    if (config.store.urlFile !== undefined && config.store.embedded !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['store', 'embedded'],
        message: 'is given beside store.urlFile, expected only one of them',
      });
    }
    for (const kind of ['stt', 'tts', 'llm'] as const)
      for (const place of enginesAt(kind, config[kind]))
        for (const { path: at, message } of engineProblems(kind, place)) context.addIssue({ code: 'custom', path: [...at], message });
    for (const { path: at, message } of modelNameProblems(config.llm)) context.addIssue({ code: 'custom', path: [...at], message });
    if (config.pbx.private === false && config.pbx.passwordFile === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['pbx', 'passwordFile'],
        message: 'is missing, expected it for a PBX that Parley does not start itself',
      });
    }
  });

export type ConfigFile = z.infer<typeof configSchema>;
