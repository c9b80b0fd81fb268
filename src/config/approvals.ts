/** Who is asked before an act that needs a person, and where corrections go. */
import { z } from 'zod';

const seconds = 'expected seconds, 5 to 45';

export const approvalsSchema = z.strictObject({
  desks: z
    .array(z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'expected the name of a desk'))
    .max(10, 'expected at most 10 desks')
    .default([])
    .describe('Names of desks that are called one after the other, beside the console: 1 approves, 2 denies. Empty: only the console.'),
  timeoutSeconds: z
    .int(seconds)
    .min(5, seconds)
    .max(45, seconds)
    .default(20)
    .describe('How long one desk has, from the first ring to the key; then the next one is called. A request is open for 45 seconds.'),
  language: z.enum(['en', 'de', 'fr', 'es']).default('en').describe('What a desk phone is spoken to in.'),
  reviewFolder: z
    .string()
    .trim()
    .min(1, 'expected a path')
    .optional()
    .describe('Folder for suggestions made of corrections: a flow test and a knowledge edit, with words of calls. None when left out.'),
});

interface Parts {
  readonly approvals: z.infer<typeof approvalsSchema>;
  readonly desks: Readonly<Record<string, unknown>>;
  readonly data: { readonly review: { readonly days: number } };
}

/** Desks that are not there, and a folder for words of calls that nobody says how long they are kept. */
export function approvalProblems({ approvals, desks, data }: Parts): { path: (string | number)[]; message: string }[] {
  const message = 'is given, expected the days and legal basis of these words in data.review';
  const unruled = approvals.reviewFolder !== undefined && data.review.days === 0 ? [{ path: ['reviewFolder'], message }] : [];
  const missing = approvals.desks.flatMap((name, place) =>
    Object.hasOwn(desks, name) ? [] : [{ path: ['desks', place], message: `is ${name}, expected the name of a desk in desks` }],
  );
  return [...unruled, ...missing];
}
