/** Capacity and last words: from the configuration to the governor's policy and to what is said when nothing else can be said. */
import { type CallOptions, GOVERNOR_POLICY, type GovernorPolicy } from '../call/index.ts';
import type { Config } from '../config/index.ts';

/** The governor's policy and the apologies, as calls take them. */
export function capacityOptions(config: Config): Pick<CallOptions, 'capacity' | 'apologies'> {
  const capacity = capacityPolicy(config);
  return { apologies: apologies(config), ...(capacity === undefined ? {} : { capacity }) };
}

/** Undefined: every call is taken. */
function capacityPolicy({ capacity }: Config): GovernorPolicy | undefined {
  if (!capacity.govern) return undefined;
  const { sttQueue, llmFirstToken, ttsFirstAudio, loopLag, windowSeconds, holdSeconds, degradeCalls, peopleCalls } = capacity;
  return {
    ...GOVERNOR_POLICY,
    limits: { sttQueue, llmFirstToken, ttsFirstAudio, loopLag },
    calls: { degrade: degradeCalls, people: peopleCalls },
    windowMs: windowSeconds * 1000,
    holdMs: holdSeconds * 1000,
  };
}

const APOLOGIES: Readonly<Record<string, string>> = {
  en: 'I am sorry, something is not working here. I will connect you with a person.',
  de: 'Es tut mir leid, hier funktioniert gerade etwas nicht. Ich verbinde Sie mit einem Menschen.',
  fr: 'Je suis désolé, quelque chose ne fonctionne pas. Je vous mets en relation avec une personne.',
  es: 'Lo siento, algo no funciona. Le paso con una persona.',
};

/** By language; the configured one counts for the language of the callers. */
export function apologies(config: Config): Readonly<Record<string, string>> {
  const { apology } = config.tts;
  return apology === null ? APOLOGIES : { ...APOLOGIES, [config.stt.language]: apology };
}
