/** Whether the configuration has a voice for everything that a flow says: each of its languages, and the voices of its personas. */
import type { Config, TtsChoice } from '../config/index.ts';
import type { LoadedFlow } from '../dialogue/index.ts';

/** What is missing, with the line of the flow that needs it and the key where it would be set; empty when nothing is. */
export function voiceLacks({ flow, place }: LoadedFlow, { tts, stt }: Config): readonly string[] {
  const at = (path: readonly string[]): string => {
    const { file, line } = place?.(path) ?? { file: flow.file };
    return line === undefined ? file : `${file}:${line}`;
  };
  const languages = flow.languages.flatMap((language) =>
    tts.engines.flatMap((engine, index) =>
      speaks(engine, language, stt.language)
        ? []
        : [`a voice for "${language}" of ${at(['languages'])} (${keyOf(engine, index)}${engine.engine === 'piper' ? '' : `.${language}`})`],
    ),
  );
  const [first] = tts.engines;
  const named = first.engine === 'piper' ? Object.keys(first.models ?? {}) : null;
  const personas = Object.entries(flow.personas).flatMap(([name, { voice }]) =>
    voice === null || named === null || named.includes(voice) ? [] : [`the voice "${voice}" of ${at(['personas', name])} (tts.models)`],
  );
  return [...languages, ...personas];
}

/** espeak-ng has every language that a flow can have. Of one voice nobody knows more than that it was chosen for the site's language. */
function speaks({ engine, models, voices }: TtsChoice, language: string, ofSite: string): boolean {
  if (engine === 'espeak') return true;
  if (engine === 'piper' && models !== undefined) return Object.values(models).some(({ languages }) => languages.includes(language));
  return engine === 'piper' || voices === undefined ? language === ofSite : Object.hasOwn(voices, language);
}

function keyOf({ engine }: TtsChoice, index: number): string {
  return `tts${index === 0 ? '' : `.then.${index - 1}`}.${engine === 'piper' ? 'models' : 'voices'}`;
}
