/** `parley call`: a synthetic caller phones the running service, and judges what it heard. */
import { readFile } from 'node:fs/promises';
import { type CallReport, placeCall, readScript, type Script } from './caller/index.ts';
import { type Config, loadConfig } from '../config/index.ts';
import { ParleyError } from '../contracts/index.ts';
import { silentLogger } from '../observability/index.ts';
import { createTts } from '../parts/index.ts';
import { BOOKING } from './conversation.ts';
import { EXIT } from './exit.ts';
import { type Judgement, judge } from './judge.ts';
import { followEvents, type Gateway, type LiveCallEvent } from './live.ts';
import { heardLines, type Style, terminalStyle, transcriptLine, waterfallLines } from './show.ts';

export interface CallCommand {
  readonly config: string;
  readonly extension: string;
  readonly script?: string;
  readonly sip?: string;
  readonly record?: string;
}

export async function call(options: CallCommand): Promise<number> {
  const config = await loadConfig(options.config);
  const script = options.script === undefined ? BOOKING.script : readScript(JSON.parse(await readFile(options.script, 'utf8')));
  const style = terminalStyle(process.stdout.isTTY);
  const watched = await placeWatchedCall(config, { ...options, script, style });
  if (watched === null) return EXIT.failed;
  printResult(watched.judgement, style);
  return watched.judgement.heardWhole && watched.report.finished ? EXIT.ok : EXIT.failed;
}

export interface WatchedCall {
  readonly report: Extract<CallReport, { answered: true }>;
  readonly events: readonly LiveCallEvent[];
  readonly judgement: Judgement;
}

/** Calls, prints the transcript as it happens, and judges. Null when the call was not answered (said on the terminal). */
export async function placeWatchedCall(
  config: Config,
  options: { extension: string; script: Script; sip?: string; record?: string; style: Style },
): Promise<WatchedCall | null> {
  const { style } = options;
  const { host, port } = sipAddress(options.sip, config);
  const gateway = await gatewayOf(config);
  const events: LiveCallEvent[] = [];
  let startUs = 0;
  let callId: string | null = null;
  const feed = await followEvents(gateway, (event) => {
    // Of all calls only the first that comes in after we dialled is ours.
    if (event.type === 'call.incoming' && callId === null) [callId, startUs] = [event.callId, event.atUs];
    if (callId === null || event.callId !== callId) return;
    events.push(event);
    const line = transcriptLine(event, startUs, style);
    if (line !== null) console.log(line);
  });
  try {
    const report = await placeCall({
      sipHost: host,
      sipPort: port,
      extension: options.extension,
      script: options.script,
      ...(options.record === undefined ? {} : { recordTo: options.record }),
    });
    if (!report.answered) {
      console.log(style.red(`the call to ${options.extension} was not answered: ${report.status} ${report.reason}`));
      return null;
    }
    await until(() => events.some((event) => event.type === 'call.ended'), 3000);
    const tts = createTts(config, silentLogger);
    await tts.start();
    try {
      return { report, events, judgement: await judge(report, events, tts, config.stt.language) };
    } finally {
      await tts.stop();
    }
  } finally {
    feed.close();
  }
}

export function printResult(judgement: Judgement, style: Style): void {
  console.log(`\n${style.bold('What the caller heard')} ${style.dim('(time in the recording, correlation with the rendering)')}`);
  for (const line of heardLines(judgement.heard, judgement.texts, style)) console.log(line);
  for (const { said, understood } of judgement.misunderstood) console.log(`  ${style.red('misunderstood')}  "${said}" as "${understood}"`);
  console.log(`\n${style.bold('Where the time of each turn went')}`);
  for (const line of waterfallLines(judgement.turns, style)) console.log(line);
}

export async function gatewayOf(config: Config): Promise<Gateway> {
  const { host, port, tokenFile } = config.http;
  const token = await readFile(tokenFile, 'utf8').catch(() => {
    throw new ParleyError('CALLER_FAILED', `there is no token in ${tokenFile}: is the service running with this configuration?`);
  });
  return { host, port, token: token.trim() };
}

function sipAddress(text: string | undefined, config: Config): { host: string; port: number } {
  if (text === undefined) return { host: '127.0.0.1', port: config.pbx.private ? config.pbx.sipPort : 5060 };
  const match = /^([A-Za-z0-9.-]+):(\d{1,5})$/.exec(text);
  if (match === null) throw new ParleyError('CONFIG_INVALID', `--sip ${text}: expected host:port, as in 127.0.0.1:5060`);
  return { host: match[1] ?? '', port: Number(match[2]) };
}

export async function until(met: () => boolean, limitMs: number): Promise<boolean> {
  const endMs = performance.now() + limitMs;
  while (!met() && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 20));
  return met();
}
