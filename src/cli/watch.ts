/** `parley call --watch`: the calls of the running service as they happen, each turn with its waterfall; dials nobody. */
import { loadConfig } from '../config/index.ts';
import { gatewayOf } from './call.ts';
import { EXIT } from './exit.ts';
import { followEvents, type LiveCallEvent } from './live.ts';
import { type Style, terminalStyle, transcriptLine } from './show.ts';

const ID_CHARS = 4;

/** Until Ctrl-C (0), or until the service closes the feed (1). Errors: CALLER_FAILED when there is no service. */
export async function watch(options: { config: string }): Promise<number> {
  const style = terminalStyle(process.stdout.isTTY);
  const gateway = await gatewayOf(await loadConfig(options.config));
  const lines = watchLines(style);
  return new Promise((resolve, reject) => {
    const feed = followEvents(
      gateway,
      (event) => {
        const line = lines(event);
        if (line !== null) console.log(line);
      },
      () => resolve(EXIT.failed),
    );
    feed.then((open) => {
      console.log(style.dim(`watching ${gateway.host}:${gateway.port}; Ctrl-C ends it`));
      process.once('SIGINT', () => {
        open.close();
        resolve(EXIT.ok);
      });
    }, reject);
  });
}

/** Events to lines: times count from the beginning of each call, whose id stands in front. */
export function watchLines(style: Style): (event: LiveCallEvent) => string | null {
  const startUs = new Map<string, number>();
  return (event) => {
    const { callId } = event;
    if (callId === null) return null;
    const beganUs = startUs.get(callId) ?? event.atUs;
    startUs.set(callId, beganUs);
    if (event.type === 'call.ended') startUs.delete(callId);
    const line = transcriptLine(event, beganUs, style);
    return line === null ? null : `${style.dim(callId.slice(0, ID_CHARS))} ${line}`;
  };
}
