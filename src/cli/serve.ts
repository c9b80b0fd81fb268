/** `parley serve`: runs until SIGTERM or SIGINT, then drains. A second signal ends at once. */
import { loadConfig } from '../config/index.ts';
import { startService } from '../main.ts';
import { createLogger } from '../observability/index.ts';
import { EXIT } from './exit.ts';

export async function serve(options: { config: string }): Promise<number> {
  const config = await loadConfig(options.config);
  const logger = createLogger({ level: config.log.level, name: config.gateway.name });
  let stop: (reason: string) => void = () => process.exit(EXIT.ok);
  const stopped = new Promise<string>((resolve) => (stop = resolve));
  let signals = 0;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (++signals > 1) process.exit(EXIT.failed);
      stop(signal);
    });
  }
  const service = await startService(config, logger);
  await service.stop(await stopped);
  return EXIT.ok;
}
