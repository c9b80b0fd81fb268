/**
 * The configuration: one YAML file, checked as a whole, frozen, with absolute paths. It must not know what its keys are used for, start
 * anything or hold a secret: secrets are in files of their own, named by keys that end in File. Errors: ProblemsError with every problem
 * (CONFIG_MISSING, CONFIG_SYNTAX, CONFIG_INVALID), one line each: `file:line: key: what is wrong, expected ...`.
 */
export type { Config } from './config.ts';
export type { LlmChoice, SttChoice, TtsChoice } from './engine-choices.ts';
export { placeOf } from './engine-files.ts';
export { DATA_CLASSES, type DataClass, type DataClassName, type DataRules, type LegalBasis } from './data-classes.ts';
export { configJsonSchema, type JsonSchema, loadConfig, readSecret } from './load.ts';
