/** The shape of a flow file. References between its parts are checked in check.ts, where the message can name both ends. */
import { z } from 'zod';

const name = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'expected a name of small letters, digits and underlines');
const stepName = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'expected the name of a step');
const language = z.string().regex(/^[a-z]{2}$/, 'expected a language code of two letters, as in "en"');
const text = z.string().trim().min(1, 'expected text').max(500, 'expected at most 500 characters');

/** One value for a flow in one language, or one per language. */
const byLanguage = <T extends z.ZodType>(value: T, expected: string) => z.union([value, z.record(language, value)], { error: expected });
const words = byLanguage(z.array(z.string().trim().min(1)).max(200), 'expected a list of words, or one list per language');
const texts = byLanguage(text, 'expected a text of at most 500 characters, or one per language');

const choice = z.strictObject({
  words,
  spoken: texts.optional(),
  key: z
    .string()
    .regex(/^[0-9*]$/, 'expected a key of the telephone in quotes, as in "1"')
    .optional(),
});

const common = { names: words.optional(), outOfRange: name.optional() };
const cues = { before: words.optional(), after: words.optional() };
const clock = z.string().regex(/^([01]?\d|2[0-3]):[0-5]\d$/, 'expected a time in quotes, as in "19:30"');

export const SLOT_SCHEMAS = {
  digits: z.strictObject({
    type: z.literal('digits'),
    min: z.int().min(1).max(32).default(1),
    max: z.int().min(1).max(32).default(32),
    ...cues,
    ...common,
  }),
  secret: z.strictObject({
    type: z.literal('secret'),
    min: z.int().min(1).max(32).default(1),
    max: z.int().min(1).max(32).default(32),
    check: z.enum(['none', 'luhn']).default('none'),
    by: z.enum(['keys', 'keys-or-voice']).default('keys'),
    ...common,
  }),
  number: z.strictObject({
    type: z.literal('number'),
    min: z.int().min(0).default(0),
    max: z.int().max(999_999_999).default(999_999_999),
    ...cues,
    ...common,
  }),
  day: z.strictObject({ type: z.literal('day'), withinDays: z.int().min(1).max(3660).default(366), ...common }),
  time: z.strictObject({ type: z.literal('time'), from: clock.default('00:00'), to: clock.default('23:59'), ...common }),
  'yes-no': z.strictObject({ type: z.literal('yes-no'), ...common }),
  choice: z.strictObject({ type: z.literal('choice'), choices: z.record(name, choice), ...common }),
  free: z.strictObject({ type: z.literal('free'), ...common }),
  name: z.strictObject({ type: z.literal('name'), ...common }),
  money: z.strictObject({
    type: z.literal('money'),
    min: z.number().min(0).default(0),
    max: z.number().max(10_000_000).default(10_000_000),
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, 'expected a currency of three capital letters, as in "EUR"')
      .default('EUR'),
    ...common,
  }),
  email: z.strictObject({ type: z.literal('email'), ...common }),
  phone: z.strictObject({ type: z.literal('phone'), ...common }),
  postcode: z.strictObject({
    type: z.literal('postcode'),
    country: z.enum(['de', 'fr', 'es', 'it', 'us', 'at', 'ch', 'nl', 'gb']),
    ...common,
  }),
};

const expression = z.string().trim().min(1, 'expected an expression').max(500, 'expected at most 500 characters');
const given = z.record(name, z.union([z.string().max(500), z.number(), z.boolean()])).default({});

const condition = z.strictObject({
  slot: name.optional(),
  variable: name.optional(),
  is: z.union([z.string(), z.array(z.string()).min(1)], { error: 'expected a text in quotes, or a list of texts' }).optional(),
  filled: z.boolean().optional(),
  atLeast: z.number().optional(),
  atMost: z.number().optional(),
});

/** A list of them must hold as a whole; an expression says it all at once. */
const when = z.union([expression, condition, z.array(condition).min(1)], {
  error: 'expected an expression, a condition or a list of conditions',
});

/** What holds from a choice on. `accuracy` takes the cheapest model that is good enough and can still be paid. */
const choosing = {
  language: language.optional(),
  persona: name.optional(),
  model: name.optional(),
  accuracy: z.number().min(0).max(1).optional(),
  risk: z.enum(['low', 'normal', 'high']).optional(),
};

const every = {
  forget: z.array(name).default([]),
  outcome: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,39}$/, 'expected small letters, digits and hyphens')
    .optional(),
};

/** By the key that says what a step does. */
export const STEP_SCHEMAS = {
  say: z.strictObject({
    say: name,
    kind: z.enum(['notice', 'statement', 'apology', 'goodbye']).default('statement'),
    interruptible: z.boolean().optional(),
    next: stepName,
    ...every,
  }),
  ask: z.strictObject({ ask: name, prompt: name, reprompt: name.optional(), next: stepName, otherwise: stepName.optional(), ...every }),
  confirm: z.strictObject({
    confirm: z.array(name).min(1, 'expected at least one slot'),
    prompt: name,
    which: name.default('which_part'),
    next: stepName,
    otherwise: stepName.optional(),
    ...every,
  }),
  answer: z.strictObject({ answer: name, next: stepName, otherwise: stepName.optional(), ...every }),
  decide: z.strictObject({
    decide: z.array(z.strictObject({ when, next: stepName })).min(1),
    otherwise: stepName,
    ...every,
  }),
  transfer: z.strictObject({
    transfer: name,
    to: name.optional(),
    prompt: name.default('transferring'),
    failed: stepName.optional(),
    ...every,
  }),
  do: z.strictObject({
    do: name,
    with: given,
    into: z.record(name, name).default({}),
    wait: name.default('one_moment'),
    failure: name.default('tool_failed'),
    next: stepName,
    failed: stepName.optional(),
    ...every,
  }),
  route: z.strictObject({
    route: z.array(z.strictObject({ when, next: stepName.optional(), ...choosing })).default([]),
    model: z
      .strictObject({
        slot: name,
        choices: z.record(stepName, text),
        use: name.optional(),
        seconds: z.number().min(0.2).max(10).default(2),
      })
      .optional(),
    otherwise: stepName,
    ...every,
  }),
  set: z.strictObject({
    set: z.record(
      z.string().regex(/^((call|contact)\.)?[a-z][a-z0-9_]{0,39}$/, 'expected the name of a variable, as in risk or call.topic'),
      z.union([expression, z.number(), z.boolean()]),
    ),
    next: stepName,
    ...every,
  }),
  call: z.strictObject({
    call: z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/, 'expected the name of a flow'),
    with: given,
    into: z.record(name, name).default({}),
    next: stepName,
    failed: stepName.optional(),
    ...every,
  }),
  gather: z.strictObject({
    gather: z
      .array(z.strictObject({ do: name, with: given, into: z.record(name, name).default({}) }))
      .min(2, 'expected two tools or more')
      .max(8, 'expected at most eight tools'),
    atLeast: z.int().min(1).optional(),
    wait: name.default('one_moment'),
    failure: name.default('tool_failed'),
    next: stepName,
    failed: stepName.optional(),
    ...every,
  }),
  agent: z.strictObject({
    agent: z.string().trim().min(1).max(4000),
    tools: z.array(name).max(20).default([]),
    prompt: name,
    next: stepName,
    otherwise: stepName.optional(),
    thoughts: z.int().min(1).max(50).default(12),
    calls: z.int().min(0).max(50).default(8),
    tokens: z.int().min(50).max(100_000).default(4000),
    seconds: z.number().min(0.5).max(20).default(3),
    totalSeconds: z.number().min(5).max(3600).default(300),
    specialists: z.record(stepName, text).default({}),
    use: name.optional(),
    forbidden: z.array(z.string().trim().min(2).max(100)).max(100).default([]),
    ...every,
  }),
  end: z.strictObject({ end: z.enum(['hangup', 'leave', 'return']), prompt: name.optional(), ...every }),
};

const value = z.union([z.string(), z.number(), z.boolean()]);
const field = z.strictObject({
  type: z.enum(['string', 'number', 'boolean']).default('string'),
  optional: z.boolean().default(false),
  oneOf: z.array(value).min(1).optional(),
  maxLength: z.int().min(1).max(10_000).default(500),
  context: name.optional(),
  personal: z.boolean().default(false),
  secret: z.boolean().default(false),
});

/** A tool: what it takes and gives, where it is, and its bounds. */
const tool = z.strictObject({
  description: text,
  effect: z.enum(['read', 'write', 'irreversible']),
  approval: z.boolean().default(false),
  review: text.optional(),
  arguments: z.record(name, field).default({}),
  result: z.record(name, field).default({}),
  http: z
    .strictObject({
      method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET'),
      url: z.string().regex(/^https?:\/\/[^\s]+$/),
    })
    .optional(),
  openapi: z.strictObject({ api: z.string().min(1).max(60), operation: z.string().min(1).max(200) }).optional(),
  mcp: z.strictObject({ server: name, tool: z.string().min(1).max(128) }).optional(),
  port: z
    .string()
    .regex(/^[a-z]+\.[a-zA-Z]+$/, 'expected the name of a port, as in "calendar.free"')
    .optional(),
  timeoutSeconds: z.number().min(0.1).max(3).default(2.5),
  retries: z.int().min(0).max(3).default(1),
  concurrency: z.int().min(1).max(1000).default(8),
  perMinute: z.int().min(1).max(100_000).default(600),
  cost: z.number().min(0).default(0),
});

const span = z.string().regex(/^([01]?\d|2[0-3]):[0-5]\d-([01]?\d|2[0-4]):[0-5]\d$/, 'expected a span in quotes, as in "09:00-17:00"');
const WEEK = '(monday|tuesday|wednesday|thursday|friday|saturday|sunday)';
const hours = z.strictObject({
  zone: z.string().refine(isZone, 'expected a time zone, as in "Europe/Berlin"'),
  open: z.record(
    z.string().regex(new RegExp(`^${WEEK}(-${WEEK})?$`), 'expected a weekday, or two with a hyphen, as in monday-friday'),
    z.array(span),
  ),
  holidays: z
    .array(
      z
        .string()
        .regex(/^(\d{4}-)?\d{2}-\d{2}$|^easter([+-]\d{1,2})?$/, 'expected a day in quotes, as in "12-25", "2026-12-24" or easter+1'),
    )
    .default([]),
});

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const variable = z.union([z.string(), z.number(), z.boolean()], { error: 'expected a text, a number, true or false' });

export type ToolFile = z.infer<typeof tool>;

export const flowSchema = z.strictObject({
  flow: z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/, 'expected a name of small letters, digits, hyphens and underlines'),
  language,
  languages: z.array(language).optional(),
  facts: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]*$/, 'expected the name of a knowledge file without its ending')
    .optional(),
  person: name.optional(),
  start: stepName,
  variables: z.record(name, variable).default({}),
  call: z.record(name, variable).default({}),
  contact: z.record(name, variable).default({}),
  results: z.record(name, name).default({}),
  hours: hours.optional(),
  personas: z
    .record(
      name,
      z.strictObject({ voice: z.string().min(1).max(60).optional(), style: z.string().max(500).default(''), model: name.optional() }),
    )
    .default({}),
  models: z.record(name, z.strictObject({ accuracy: z.number().min(0).max(1), cost: z.number().min(0) })).default({}),
  budget: z.number().min(0).optional(),
  forbidden: z.array(z.string().trim().min(2).max(100)).max(100).default([]),
  limits: z
    .strictObject({
      misses: z.int().min(1).max(10).default(3),
      silences: z.int().min(1).max(10).default(2),
      turns: z.int().min(3).max(500).default(60),
      holdSeconds: z.int().min(5).max(300).default(30),
      confidence: z.number().min(0).max(1).default(0),
      yesConfidence: z.number().min(0).max(1).default(0.3),
    })
    .prefault({}),
  tools: z.record(name, tool).default({}),
  onSilence: stepName.optional(),
  onFailure: stepName.optional(),
  onGoodbye: stepName.optional(),
  slots: z.record(name, z.unknown()).default({}),
  prompts: z.record(name, texts),
  steps: z.record(name, z.unknown()),
});

export type FlowFile = z.infer<typeof flowSchema>;
export type SlotFile = { [K in keyof typeof SLOT_SCHEMAS]: z.infer<(typeof SLOT_SCHEMAS)[K]> }[keyof typeof SLOT_SCHEMAS];
export type StepFile = { [K in keyof typeof STEP_SCHEMAS]: z.infer<(typeof STEP_SCHEMAS)[K]> }[keyof typeof STEP_SCHEMAS];
export type ConditionFile = z.infer<typeof condition>;
export type WhenFile = z.infer<typeof when>;
export type HoursFile = z.infer<typeof hours>;
export type ChoosingFile = { [K in keyof typeof choosing]?: z.infer<(typeof choosing)[K]> };

/** A flow file whose every part has the right shape. */
export interface ParsedFlow {
  readonly flow: FlowFile;
  readonly slots: Readonly<Record<string, SlotFile>>;
  readonly steps: Readonly<Record<string, StepFile>>;
}

/** Takes what is wrong at a place of the file. */
export type Report = (path: readonly PropertyKey[], message: string) => void;
