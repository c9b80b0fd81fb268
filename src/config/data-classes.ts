/**
 * The classes of personal data that Parley can keep: for each how long, why, and on which legal basis. A class that is kept and lacks one of
 * them is an error of the configuration: the service does not start (GDPR 5(1)(b, c, e), 6).
 */
import { z } from 'zod';

/** Art. 6(1)(a) to (f). */
export const LEGAL_BASES = ['consent', 'contract', 'legalObligation', 'vitalInterests', 'publicTask', 'legitimateInterests'] as const;
export type LegalBasis = (typeof LEGAL_BASES)[number];

export interface DataClass {
  /** 0: nothing of this class is kept. */
  readonly days: number;
  /** Null only when nothing is kept. */
  readonly basis: LegalBasis | null;
  readonly purpose: string;
}

/** Shortest time for the chain by profile, in days: 13 months; 6 years (45 CFR 164.316(b)(2)(i)); 5 years (section 7a UWG). */
export const PROFILE_DAYS = { gdpr: 400, hipaa: 2192, uwg: 1827 } as const;

const MAX_DAYS = 36_500;
const days = (least: number) => {
  const expected = `expected days, ${least} to ${MAX_DAYS}`;
  return z.int(expected).min(least, expected).max(MAX_DAYS, expected);
};
const text = (what: string) => z.string(what).trim().min(1, what).max(500, what);

const dataClass = (what: string, purpose: string, least = 0) =>
  z.strictObject({
    days: days(least).describe(`How long ${what} kept; 0 keeps nothing.`),
    basis: z.enum(LEGAL_BASES).optional().describe('Legal basis, Art. 6(1) GDPR; needed when something is kept.'),
    purpose: text('expected a sentence').default(purpose).describe('What it is kept for, as the reports say it.'),
  });

const metadata = dataClass(
  'the chain is (times, ids, decisions; no words, names or numbers)',
  'to show what the system did on each call, and that nobody changed the record',
  31,
);
const content = dataClass('what was said, names and numbers are, encrypted,', 'to answer what was said in a call');
const recording = dataClass('audio of calls is, encrypted,', 'to hear again what was said in a call');
const memory = dataClass('what is remembered of a caller from call to call is, encrypted,', 'to know a caller again');
const inbox = dataClass(
  'what callers leave for people (messages, wishes to be called back) is, encrypted,',
  'to do what callers asked for',
);
const replay = dataClass(
  'turn records for parley replay are (times and decisions; words only where content is kept)',
  'to find out why the system spoke or waited',
);
const review = dataClass(
  'suggestions in approvals.reviewFolder are (words of calls that a colleague corrected)',
  'to teach the system what a colleague corrected',
);
const cost = dataClass('usage and cost per call is', 'to account for what calls cost');

export const dataSection = z.strictObject({
  profile: z
    .enum(['gdpr', 'hipaa', 'uwg'])
    .default('gdpr')
    .describe('Sets the time of metadata: gdpr 400 days, hipaa 6 years, uwg 5 years. data.metadata may be longer, never shorter.'),
  controller: z
    .strictObject({
      name: text('expected the name of the controller').optional().describe('Who answers for the data: name and address.'),
      contact: text('expected a contact').optional().describe('How people reach the controller.'),
      dpo: text('expected a contact').optional().describe('How people reach the data protection officer; "none" when there is none.'),
      authority: text('expected a name').optional().describe('The supervisory authority.'),
    })
    .nullable()
    .transform((given) => given ?? {})
    .prefault({})
    .describe('For the reports: a report that lacks one of these says so.'),
  metadata: metadata.optional().describe('The chain; dropped by whole months.'),
  content: content.prefault({ days: 0 }).describe('What was said, and by whom.'),
  recording: recording.prefault({ days: 0 }).describe('Audio.'),
  memory: memory.prefault({ days: 0 }).describe('What is known of a caller beyond one call.'),
  inbox: inbox
    .prefault({ days: 30, basis: 'legitimateInterests' })
    .describe('What callers leave for people: parley inbox. With 0 days there is no inbox.'),
  replay: replay
    .prefault({ days: 14, basis: 'legitimateInterests' })
    .describe('Records of turns, kept only where replay.directory is given.'),
  review: review.prefault({ days: 0 }).describe('Suggestions made of corrections; needed where approvals.reviewFolder is given.'),
  cost: cost.prefault({ days: 400, basis: 'legitimateInterests' }).describe('Usage and cost of calls.'),
});

export type DataFile = z.infer<typeof dataSection>;
export const DATA_CLASSES = ['metadata', 'content', 'recording', 'memory', 'inbox', 'replay', 'review', 'cost'] as const;
export type DataClassName = (typeof DATA_CLASSES)[number];

/** What is missing or too short, by path below `data`. */
export function dataProblems(data: DataFile): readonly { readonly path: readonly string[]; readonly message: string }[] {
  const problems = DATA_CLASSES.flatMap((name) => {
    const given = data[name];
    if (given === undefined || given.days === 0 || given.basis !== undefined) return [];
    const message = `is missing, expected the legal basis on which this is kept for ${given.days} days: one of ${LEGAL_BASES.join(', ')}`;
    return [{ path: [name, 'basis'], message }];
  });
  const least = PROFILE_DAYS[data.profile];
  if (data.metadata !== undefined && data.profile !== 'gdpr' && data.metadata.days < least) {
    problems.push({
      path: ['metadata', 'days'],
      message: `is ${data.metadata.days}, expected at least ${least} with the profile ${data.profile}`,
    });
  }
  return problems;
}

export interface DataRules extends Readonly<Record<DataClassName, DataClass>> {
  readonly profile: keyof typeof PROFILE_DAYS;
  /** Null: not stated. */
  readonly controller: Readonly<Record<'name' | 'contact' | 'dpo' | 'authority', string | null>>;
}

export function toDataRules(data: DataFile): DataRules {
  const rule = (given: NonNullable<DataFile['metadata']>): DataClass => ({ ...given, basis: given.basis ?? null });
  const standard = metadata.parse({
    days: PROFILE_DAYS[data.profile],
    basis: data.profile === 'gdpr' ? 'legitimateInterests' : 'legalObligation',
  });
  const given: Readonly<Record<string, string | undefined>> = data.controller;
  const stated = (key: string): string | null => given[key] ?? null;
  return {
    profile: data.profile,
    controller: { name: stated('name'), contact: stated('contact'), dpo: stated('dpo'), authority: stated('authority') },
    metadata: rule(data.metadata ?? standard),
    content: rule(data.content),
    recording: rule(data.recording),
    memory: rule(data.memory),
    inbox: rule(data.inbox),
    replay: rule(data.replay),
    review: rule(data.review),
    cost: rule(data.cost),
  };
}
