/** Checks 1 to 10: a PBX's configuration folder. Sources of the defaults: the sample files of Asterisk 20 and 22, FreeSWITCH's vanilla configuration. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isFalse, isTrue, readConf, type Section, setting } from './conf-file.ts';
import { costlyExtensions } from './dialplan.ts';
import { type Finding, isLoopback } from './finding.ts';

/** Oldest releases without a known remote crash or takeover; GHSA-64qc-9x89-rx5j and before. Reviewed 2026-11-20. */
const FLOORS: Readonly<Record<number, readonly [minor: number, patch: number]>> = { 20: [15, 2], 22: [5, 2] };
const NEWEST_KNOWN = 22;

export interface PbxFolder {
  readonly folder: string;
  /** What `asterisk -V` says; a file VERSION in the folder counts when this is not given. */
  readonly version?: string;
}

export async function checkPbx({ folder, version }: PbxFolder): Promise<Finding[]> {
  const conf = (name: string): Promise<Section[]> => readConf(folder, name);
  return [
    ...(await eventSocket(folder)),
    ...http(await conf('http.conf')),
    ...ari(await conf('ari.conf')),
    ...pjsip(await conf('pjsip.conf')),
    ...options(await conf('asterisk.conf')),
    ...costlyExtensions(await conf('extensions.conf')),
    ...rtp(await conf('rtp.conf')),
    ...(await versionOf(folder, version)),
  ];
}

const named = (sections: readonly Section[], name: string): Section | undefined => sections.findLast((section) => section.name === name);

/** Checks 1 and 2, wherever below the folder FreeSWITCH keeps its event socket. */
async function eventSocket(folder: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  for (const name of names.filter((each) => each.endsWith('event_socket.conf.xml')).slice(0, 10)) {
    const file = join(folder, name);
    const text = (await readFile(file, 'utf8')).replace(/<!--[\s\S]*?-->/g, (comment) => comment.replace(/[^\n]/g, ' '));
    const params = [...text.matchAll(/<param\s+name="([^"]+)"\s+value="([^"]*)"/g)].map((match) => ({
      key: match[1] ?? '',
      value: match[2] ?? '',
      line: text.slice(0, match.index).split('\n').length,
    }));
    const password = params.find(({ key }) => key === 'password');
    if (password === undefined || password.value === 'ClueCon') {
      const message = 'the event socket has the password that everybody knows: set another one';
      findings.push({ check: 1, file, line: password?.line ?? null, message });
    }
    const listen = params.find(({ key }) => key === 'listen-ip');
    if (listen === undefined || !isLoopback(listen.value)) {
      const message = `the event socket listens on ${listen?.value ?? ':: (the default)'}: set listen-ip to 127.0.0.1`;
      findings.push({ check: 2, file, line: listen?.line ?? null, message });
    }
  }
  return findings;
}

/** Check 3. Without bindaddr the server does not run. */
function http(sections: readonly Section[]): Finding[] {
  const general = named(sections, 'general');
  const address = setting(general, 'bindaddr');
  if (!isTrue(setting(general, 'enabled')?.value) || address === undefined || isLoopback(address.value)) return [];
  const message = `ARI listens in clear on ${address.value}: bind HTTP to 127.0.0.1, and use TLS for other hosts`;
  return [{ check: 3, file: address.file, line: address.line, message }];
}

/** Checks 4 and 5. */
function ari(sections: readonly Section[]): Finding[] {
  const findings: Finding[] = [];
  const general = named(sections, 'general');
  if (isFalse(setting(general, 'enabled')?.value)) return [];
  const origins = setting(general, 'allowed_origins');
  if (origins?.value.split(',').some((origin) => origin.trim() === '*') === true) {
    const message = 'allowed_origins = * lets every web page drive the PBX: name the origins, or none';
    findings.push({ check: 4, file: origins.file, line: origins.line, message });
  }
  for (const section of sections) {
    const password = setting(section, 'password');
    const format = setting(section, 'password_format');
    if (section.name === 'general' || password === undefined || format?.value.toLowerCase() === 'crypt') continue;
    const { file, line } = format ?? password;
    const message = `user ${section.name} has its password in clear: use password_format = crypt and the line of "ari mkpasswd"`;
    findings.push({ check: 5, file, line, message });
  }
  return findings;
}

/** Check 6. */
function pjsip(sections: readonly Section[]): Finding[] {
  return sections
    .filter(({ name }) => name === 'anonymous' || name.startsWith('anonymous@'))
    .flatMap((section) => {
      const type = setting(section, 'type');
      if (type?.value.toLowerCase() !== 'endpoint') return [];
      const message = 'an anonymous endpoint takes calls from anybody: remove it, or let it reach nothing but a message';
      return [{ check: 6, file: section.file, line: section.line, message }];
    });
}

/** Check 7. */
function options(sections: readonly Section[]): Finding[] {
  const dangerous = setting(named(sections, 'options'), 'live_dangerously');
  if (!isTrue(dangerous?.value) || dangerous === undefined) return [];
  const message = 'live_dangerously lets whoever can write a channel variable run programs: set it to no';
  return [{ check: 7, file: dangerous.file, line: dangerous.line, message }];
}

/** Check 9. */
function rtp(sections: readonly Section[]): Finding[] {
  const strict = setting(named(sections, 'general'), 'strictrtp');
  if (strict === undefined || !isFalse(strict.value)) return [];
  const message = 'strictrtp = no lets strangers speak into calls: set it to yes';
  return [{ check: 9, file: strict.file, line: strict.line, message }];
}

/** Check 10. */
async function versionOf(folder: string, given: string | undefined): Promise<Finding[]> {
  const file = given === undefined ? join(folder, 'VERSION') : 'asterisk -V';
  const text = given ?? (await readFile(file, 'utf8').catch(() => ''));
  const match = /(\d+)\.(\d+)\.(\d+)/.exec(text);
  if (match === null) return [];
  const [major = 0, minor = 0, patch = 0] = match.slice(1).map(Number);
  const floor = FLOORS[major];
  const line = given === undefined ? 1 : null;
  if (floor === undefined) {
    if (major > NEWEST_KNOWN) return [];
    return [{ check: 10, file, line, message: `Asterisk ${match[0]} gets no security fixes any more: use 22.5.2 or later` }];
  }
  const [leastMinor, leastPatch] = floor;
  if (minor > leastMinor || (minor === leastMinor && patch >= leastPatch)) return [];
  const message = `Asterisk ${match[0]} has known holes: use ${major}.${leastMinor}.${leastPatch} or later`;
  return [{ check: 10, file, line, message }];
}
