/** Checks 11 and 12: our own configuration, and engines of this machine that others can reach. */
import { readFile, stat } from 'node:fs/promises';
import { loadConfig, type Config } from '../../config/index.ts';
import { ProblemsError } from '../../contracts/index.ts';
import { type Finding, isLoopback } from './finding.ts';

/** Check 11. The configuration's own rules refuse secrets in it; what is refused is a finding here. `config` is null then. */
export async function checkConfig(file: string): Promise<{ config: Config | null; findings: Finding[] }> {
  let config: Config;
  try {
    config = await loadConfig(file);
  } catch (error) {
    if (!(error instanceof ProblemsError)) throw error;
    const findings = error.problems.map(({ place, message }) => ({
      check: 11,
      file: place.file,
      line: place.line ?? null,
      message: `${place.key ?? ''} ${message}`.trim(),
    }));
    return { config: null, findings };
  }
  const findings: Finding[] = [];
  const secrets = [config.pbx.passwordFile, config.store.kind === 'url' ? config.store.urlFile : null, config.http.tokenFile];
  for (const secret of secrets.filter((each) => each !== null)) {
    const mode = await stat(secret).then(
      (found) => found.mode & 0o077,
      () => 0,
    );
    if (mode !== 0)
      findings.push({ check: 11, file: secret, line: null, message: 'others on this machine may read this secret: chmod 600' });
  }
  if (config.pbx.url.startsWith('http:') && !config.pbx.private && !isLoopback(new URL(config.pbx.url).hostname))
    findings.push({ check: 3, file, line: null, message: 'pbx.url sends the ARI password in clear to another host: use https' });
  if (!isLoopback(config.http.host))
    findings.push({
      check: 12,
      file,
      line: null,
      message: `http.host is ${config.http.host}: bind the console to loopback and put a proxy with TLS in front`,
    });
  return { config, findings };
}

/** How an engine that asks for no password shows itself. Paths are harmless: they list voices or models. */
const SIGNS = [
  { engine: 'Ollama', port: 11434, path: '/', sign: /Ollama is running/ },
  { engine: 'vLLM or another OpenAI-compatible server', port: 8000, path: '/v1/models', sign: /"object"\s*:\s*"list"/ },
  { engine: "llama.cpp's or whisper.cpp's server", port: 8080, path: '/v1/models', sign: /"object"\s*:\s*"list"/ },
  { engine: "llama.cpp's or whisper.cpp's server", port: 8080, path: '/', sign: /whisper\.cpp|llama\.cpp/i },
  { engine: "Piper's HTTP server", port: 5000, path: '/voices', sign: /"(?:num_symbols|espeak|phoneme_type)"/ },
] as const;

export interface EngineSearch {
  /** Files in the form of Linux's /proc/net/tcp. */
  readonly tables?: readonly string[];
  /** Ports in place of the usual ones, by engine; for tests. */
  readonly ports?: Readonly<Record<string, number>>;
}

/** Check 12. Finds sockets that listen beyond loopback on the ports that engines use, and asks on loopback who is there. */
export async function checkEngines({ tables = ['/proc/net/tcp', '/proc/net/tcp6'], ports = {} }: EngineSearch = {}): Promise<Finding[]> {
  const listeners = (await Promise.all(tables.map(openListeners))).flat();
  const findings: Finding[] = [];
  for (const { engine, port: usual, path, sign } of SIGNS) {
    const port = ports[engine] ?? usual;
    const listener = listeners.find((each) => each.port === port);
    if (listener === undefined || findings.some(({ line, file }) => line === listener.line && file === listener.file)) continue;
    if (!sign.test(await answerOf(port, path))) continue;
    const message = `${engine} on port ${port} is open to the network and asks for no password: bind it to 127.0.0.1`;
    findings.push({ check: 12, file: listener.file, line: listener.line, message });
  }
  return findings;
}

interface Listener {
  readonly file: string;
  readonly line: number;
  readonly port: number;
}

const LISTEN = '0A';

async function openListeners(file: string): Promise<Listener[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').flatMap((row, index) => {
    const match = /^\s*\d+:\s+([0-9A-F]+):([0-9A-F]{4})\s+\S+\s+([0-9A-F]{2})/.exec(row);
    if (match?.[3] !== LISTEN) return [];
    // Addresses are hexadecimal in host order: 0100007F is 127.0.0.1.
    const address = match[1] ?? '';
    const loopback = address.length === 8 ? address.endsWith('7F') : /^0{24}01000000$|FFFF0000[0-9A-F]{6}7F$/.test(address);
    return loopback ? [] : [{ file, line: index + 1, port: parseInt(match[2] ?? '0', 16) }];
  });
}

const MOST_CHARS = 65_536;

async function answerOf(port: number, path: string): Promise<string> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { redirect: 'error', signal: AbortSignal.timeout(1000) });
    let text = '';
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      text += Buffer.from(part).toString();
      if (text.length > MOST_CHARS) break;
    }
    return response.ok ? text : '';
  } catch {
    return '';
  }
}
