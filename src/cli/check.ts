/** `parley check`: is the configuration valid, with all flows? Every mistake with file, line and what was expected. Starts nothing. */
import { loadConfig } from '../config/index.ts';
import { loadFlows, loadNotices, readApis } from '../dialogue/index.ts';
import { silentLogger } from '../observability/index.ts';
import { callableFlows, checkFlows, missingSecrets, createLlm, createStt, createTts } from '../parts/index.ts';
import { EXIT } from './exit.ts';

export async function check(options: { config: string }): Promise<number> {
  const config = await loadConfig(options.config);
  const flows = await loadFlows(config.flows.directory, {
    factsDirectory: config.flows.facts,
    apis: await readApis(config.tools.openapi),
  });
  const { callable, lacking } = callableFlows(flows, config, config.llm.engines.length > 0);
  checkFlows(callable, config, await loadNotices(config.privacy.notices));
  createStt(config, silentLogger);
  createTts(config, silentLogger);
  await createLlm(config, silentLogger);
  console.log(`${options.config}: valid`);
  for (const [name, { flow }] of flows) {
    const lacks = lacking[name];
    const note = lacks === undefined ? '' : `; takes no calls, it lacks ${lacks.join('; ')}`;
    console.log(`flow ${name}: valid, version ${flow.version.slice(0, 12)}${note}`);
  }
  // A site that is being set up: what the service will ask for when it starts.
  for (const { key, file } of await missingSecrets(config))
    console.log(`to do: ${key} names ${file}, which is not there yet; parley serve needs it`);
  return EXIT.ok;
}
