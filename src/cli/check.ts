/** `parley check`: is the configuration valid, with all flows? Every mistake with file, line and what was expected. Starts nothing. */
import { loadConfig } from '../config/index.ts';
import { loadFlows } from '../dialogue/index.ts';
import { checkFlows, sttOptions } from '../parts.ts';
import { EXIT } from './exit.ts';

export async function check(options: { config: string }): Promise<number> {
  const config = await loadConfig(options.config);
  const flows = await loadFlows(config.flows.directory, { factsDirectory: config.flows.facts });
  checkFlows(flows, config);
  sttOptions(config);
  console.log(`${options.config}: valid`);
  for (const [name, { flow }] of flows) console.log(`flow ${name}: valid, version ${flow.version.slice(0, 12)}`);
  return EXIT.ok;
}
