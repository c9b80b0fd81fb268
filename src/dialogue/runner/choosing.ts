/** What a router may choose beside the way: language, persona, model and risk. It holds from here on, in every flow of the call. */
import type { Choosing, Flow, Risk } from '../flow/types.ts';
import { own, type Talk, update } from './talk.ts';
import { budgetLeft } from './values.ts';

export interface Chosen {
  readonly language: string | null;
  readonly persona: string | null;
  readonly model: string | null;
  readonly risk: Risk | null;
}

export const NOTHING: Chosen = { language: null, persona: null, model: null, risk: null };

/** Carries the choice out; what is as it was is null in the answer. */
export function choose(talk: Talk, choosing: Choosing): Chosen {
  const { state, script } = talk;
  const language = choosing.language === state.language ? null : choosing.language;
  const persona = choosing.persona === state.persona ? null : choosing.persona;
  const named = choosing.model ?? (persona === null ? null : (own(script.flow.personas, persona)?.model ?? null));
  const model = choosing.accuracy === null ? named : modelFor(talk, choosing.accuracy);
  const risk = choosing.risk === state.risk ? null : choosing.risk;
  if (language !== null) changeLanguage(talk, language);
  if (persona !== null) {
    update(talk, { persona });
    talk.effects.push({ t: 'persona', persona, voice: own(script.flow.personas, persona)?.voice ?? null });
  }
  if (model !== null) update(talk, { model });
  if (risk !== null) update(talk, { risk });
  return { language, persona, model: model === state.model ? null : model, risk };
}

/** Words, prompts and voices change; what is filled stays as it was said. */
function changeLanguage(talk: Talk, language: string): void {
  const script = talk.scripts.of(talk.state.flow, language);
  if (script === undefined) return;
  talk.script = script;
  update(talk, { language });
  talk.effects.push({ t: 'language', language });
}

/** The cheapest that is good enough and can be paid; the best that can be paid where none is; else the cheapest of all. */
function modelFor(talk: Talk, accuracy: number): string | null {
  const left = budgetLeft(talk);
  const byCost = gradesOf(talk.script.flow).sort((a, b) => a.cost - b.cost);
  const payable = byCost.filter(({ cost }) => cost <= left);
  const best = [...payable].sort((a, b) => b.accuracy - a.accuracy)[0];
  return (payable.find((grade) => grade.accuracy >= accuracy) ?? best ?? byCost[0])?.name ?? null;
}

function gradesOf({ models }: Flow): { name: string; accuracy: number; cost: number }[] {
  return Object.entries(models).map(([name, grade]) => ({ name, ...grade }));
}
