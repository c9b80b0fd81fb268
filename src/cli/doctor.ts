/**
 * `parley doctor`: is this site safe and fast enough? Twelve checks of the edge, each finding with file and line; then every configured engine
 * is loaded and measured, and the budget that it breaks is named. Exit 1 when there is a finding or an engine does not start.
 *
 *    1 event socket with the known password    7 Asterisk with live_dangerously
 *    2 event socket beyond loopback            8 dial contexts that reach costly numbers without a list
 *    3 ARI in clear beyond loopback            9 RTP that takes strangers' packets
 *    4 ARI for every web page                 10 a PBX version with known holes
 *    5 ARI password in clear                  11 a secret in our configuration, or readable by others
 *    6 anonymous SIP endpoint                 12 an engine of this machine open to the network
 */
import { createLogger } from '../observability/index.ts';
import type { Config } from '../config/index.ts';
import type { LanguageModel } from '../contracts/index.ts';
import { createLlm, createStt, createTts, createVoiceDetector } from '../parts/index.ts';
import { findingLine, type Finding } from './doctor/finding.ts';
import { BUDGETS, measureLlm, measureStt, measureTts, measuredLines, RAMP, type Ramp } from './doctor/measure.ts';
import { measureVad, VAD_PROBE, vadLines, type VadProbe } from './doctor/measure-vad.ts';
import { checkConfig, checkEngines, type EngineSearch } from './doctor/own.ts';
import { checkPbx } from './doctor/pbx.ts';
import { EXIT, explain } from './exit.ts';

export interface DoctorOptions {
  readonly config: string;
  /** Configuration folder of the PBX: /etc/asterisk, or FreeSWITCH's conf. */
  readonly asterisk?: string;
  /** What `asterisk -V` says. */
  readonly pbxVersion?: string;
  /** False: the checks only. */
  readonly measure?: boolean;
  readonly ramp?: Ramp;
  readonly vadProbe?: VadProbe;
  readonly engines?: EngineSearch;
  /** The configured language model, where there is one. */
  readonly languageModel?: LanguageModel;
  /** Where lines go; default standard output. */
  readonly print?: (line: string) => void;
}

/** Resolves to the exit code. Errors: none that an admin can mend are thrown; they are findings. */
export async function doctor(options: DoctorOptions): Promise<number> {
  const { asterisk, pbxVersion, print = (line: string): void => console.log(line) } = options;
  const own = await checkConfig(options.config);
  const findings: Finding[] = [...own.findings, ...(await checkEngines(options.engines))];
  if (asterisk !== undefined)
    findings.push(...(await checkPbx({ folder: asterisk, ...(pbxVersion === undefined ? {} : { version: pbxVersion }) })));
  for (const finding of findings) print(findingLine(finding));
  const checks = asterisk === undefined ? 'checks 11 and 12 (give --asterisk DIR for the PBX)' : 'all twelve checks';
  print(findings.length === 0 ? `${checks}: nothing found` : `${checks}: ${findings.length} found`);
  const started = own.config === null || options.measure === false || (await measureAll(own.config, options, print));
  return findings.length === 0 && started ? EXIT.ok : EXIT.failed;
}

/** False when an engine does not start. */
async function measureAll(config: Config, options: DoctorOptions, print: (line: string) => void): Promise<boolean> {
  const { ramp = RAMP, vadProbe = VAD_PROBE, languageModel } = options;
  const { language } = config.stt;
  const logger = createLogger({ level: 'error', name: 'doctor' });
  let well = true;
  const attempt = async <T>(engine: string, act: () => Promise<T>): Promise<T | null> => {
    try {
      return await act();
    } catch (error) {
      well = false;
      for (const line of explain(error).lines) print(`${engine}: ${line}`);
      return null;
    }
  };
  // Without a synthesiser there is nothing to recognise but a second of silence.
  let utterance: Int16Array = new Int16Array(16_000);
  for (const engine of [...config.tts.engines].reverse()) {
    const alone = { ...config, tts: { ...config.tts, engines: [engine] as const } };
    const tts = await attempt(`tts ${engine.name}`, () => measureTts(createTts(alone, logger), language, ramp, BUDGETS.ttsFirstAudioMs));
    if (tts === null) continue;
    measuredLines(tts.measured).forEach(print);
    utterance = tts.pcm16;
  }
  const vad = await attempt('vad', () => measureVad(createVoiceDetector(config, logger), utterance, vadProbe));
  if (vad !== null) vadLines(vad).forEach(print);
  for (const engine of config.stt.engines) {
    const alone = { ...config, stt: { ...config.stt, engines: [engine] as const } };
    const stt = await attempt(`stt ${engine.name}`, () =>
      measureStt(createStt(alone, logger), utterance, language, ramp, BUDGETS.sttTailMs),
    );
    if (stt !== null) measuredLines(stt).forEach(print);
  }
  const models: { name: string; make: () => Promise<LanguageModel | null> }[] = [...config.llm.engines, ...config.llm.named].map(
    (engine) => ({
      name: engine.name,
      make: () => createLlm({ ...config, llm: { ...config.llm, engines: [engine], named: [] } }, logger),
    }),
  );
  if (languageModel !== undefined) models.push({ name: languageModel.name, make: () => Promise.resolve(languageModel) });
  for (const { name, make } of models) {
    const llm = await attempt(`llm ${name}`, async () => {
      const model = await make();
      return model === null ? null : measureLlm(model, ramp, BUDGETS.llmFirstTokenMs);
    });
    if (llm !== null) measuredLines(llm).forEach(print);
  }
  return well;
}
