/** A secret goes from the caller to one argument of one tool, and nowhere else: what a flow file must not do with it. */
import { textsOf } from './compile.ts';
import type { ParsedFlow, Report } from './schema.ts';

export function checkSecrets({ flow, slots, steps }: ParsedFlow, report: Report): void {
  const secrets = Object.keys(slots).filter((name) => slots[name]?.type === 'secret');
  const namesIn = (text: string): string[] => secrets.filter((name) => text.includes(`{${name}}`));
  for (const [key, prompt] of Object.entries(flow.prompts)) {
    for (const name of Object.values(textsOf(prompt, flow.language)).flatMap(namesIn))
      report(['prompts', key], `says {${name}}, a secret: it is never spoken`);
  }
  const takers = new Map<string, string>();
  for (const [name, step] of Object.entries(steps)) {
    if ('confirm' in step) {
      for (const slot of step.confirm.filter((slot) => secrets.includes(slot)))
        report(['steps', name, 'confirm'], `has ${slot}, a secret: it is never read back`);
    }
    if (!('do' in step)) continue;
    const fields = flow.tools[step.do]?.arguments ?? {};
    for (const [argument, value] of Object.entries(step.with)) {
      const path = ['steps', name, 'with', argument];
      const wanted = fields[argument]?.secret === true;
      const [given] = typeof value === 'string' ? namesIn(value) : [];
      if (given === undefined) {
        if (wanted) report(path, `fills the secret argument ${argument}, expected a slot of the type secret, as in "{card}"`);
        continue;
      }
      if (!wanted || value !== `{${given}}`)
        report(path, `passes the secret ${given} on, expected it alone, to an argument with secret: true`);
      const other = takers.get(given);
      if (other !== undefined && other !== step.do) report(path, `passes the secret ${given} to ${step.do}, but ${other} has it already`);
      takers.set(given, step.do);
    }
  }
}
