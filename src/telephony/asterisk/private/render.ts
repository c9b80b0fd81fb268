/** Writes the configuration of a private Asterisk from the templates in dialplan/asterisk/private. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ParleyError } from '../../../contracts/index.ts';
import { PROJECT_ROOT } from './find.ts';
import type { AsteriskProgram } from './find.ts';

/** A phone that is called at a fixed SIP address: `{extension: '100', contact: 'sip:100@127.0.0.1:5070'}`. */
export interface Desk {
  readonly extension: string;
  readonly contact: string;
}

export interface RenderOptions {
  readonly runDir: string;
  readonly host: string;
  readonly ariPort: number;
  readonly sipPort: number;
  readonly rtpPortMin: number;
  readonly rtpPortMax: number;
  readonly ariUser: string;
  readonly ariPassword: string;
  readonly desks: readonly Desk[];
  /** Dial() target when Parley is not there; empty: a message. */
  readonly fallback: string;
  /** More contexts and extensions, as in extensions.conf. */
  readonly extraDialplan: string;
}

/** Asterisk asks for these files at start and complains when they are missing; their defaults are right. */
const DEFAULTS = ['acl', 'amd', 'ccss', 'cel', 'features', 'musiconhold', 'pjproject', 'stasis', 'udptl', 'websocket_client'];
/** The kernel's limit for the path of a unix socket is 108 bytes. */
const MAX_SOCKET_FOLDER = 80;

/** Returns the path of asterisk.conf. Folders get mode 0700, files 0600: one of them holds the password of ARI. */
export function renderConfig(program: AsteriskProgram, options: RenderOptions): string {
  const { runDir } = options;
  const etc = join(runDir, 'etc');
  for (const folder of ['etc', 'lib/keys', 'spool/recording', 'log', 'run'])
    mkdirSync(join(runDir, folder), { recursive: true, mode: 0o700 });
  const socket = join(runDir, 'run').length <= MAX_SOCKET_FOLDER ? join(runDir, 'run') : mkdtempSync(join(tmpdir(), 'parley-asterisk-'));
  const dialplan = join(PROJECT_ROOT, 'dialplan/asterisk');
  const values: Readonly<Record<string, string>> = {
    RUN: runDir,
    MODULES: program.modules,
    DATA: program.data,
    SOCKET: socket,
    DIALPLAN: dialplan,
    HOST: options.host,
    ARI_PORT: String(options.ariPort),
    SIP_PORT: String(options.sipPort),
    RTP_MIN: String(options.rtpPortMin),
    RTP_MAX: String(options.rtpPortMax),
    ARI_USER: options.ariUser,
    ARI_PASSWORD: options.ariPassword,
    FALLBACK: options.fallback,
  };
  const write = (name: string, text: string): void => writeFileSync(join(etc, name), text, { mode: 0o600 });
  const templates = join(dialplan, 'private');
  for (const name of readdirSync(templates)) write(name, fill(readFileSync(join(templates, name), 'utf8'), values, name));
  for (const name of DEFAULTS) write(`${name}.conf`, '; defaults\n');
  write('extensions_extra.conf', `${options.extraDialplan}\n`);
  write('pjsip_desks.conf', options.desks.map(deskText).join('\n'));
  return join(etc, 'asterisk.conf');
}

/** A `;` would begin a comment, a line end a new setting. */
function fill(template: string, values: Readonly<Record<string, string>>, file: string): string {
  return template.replace(/@([A-Z_]+)@/g, (whole, name: string) => {
    const value = values[name];
    if (name === 'NAMES') return whole;
    if (value === undefined) throw new ParleyError('CONFIG_INVALID', `${file} asks for @${name}@, which nobody fills in.`);
    if (/[;\r\n]/.test(value)) throw new ParleyError('CONFIG_INVALID', `The value for @${name}@ in ${file} holds a ; or a line end.`);
    return value;
  });
}

function deskText({ extension, contact }: Desk): string {
  if (!/^\w{1,32}$/.test(extension) || !/^sip:[\w.@:[\]-]{1,200}$/.test(contact)) {
    throw new ParleyError(
      'CONFIG_INVALID',
      `The desk '${extension.slice(0, 32)}' needs an extension of letters and digits and a contact like sip:100@127.0.0.1:5070.`,
    );
  }
  return [
    `[${extension}]`,
    'type = endpoint',
    'context = parley-test',
    'transport = udp',
    'disallow = all',
    'allow = ulaw,alaw',
    'direct_media = no',
    'rtp_symmetric = yes',
    `aors = ${extension}`,
    '',
    `[${extension}]`,
    'type = aor',
    `contact = ${contact}`,
    '',
  ].join('\n');
}
