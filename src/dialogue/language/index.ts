import { GERMAN } from './de.ts';
import { ENGLISH } from './en.ts';
import { SPANISH } from './es.ts';
import { FRENCH } from './fr.ts';
import type { LanguagePack } from './pack.ts';

/** Languages that flows may be written in. */
export const LANGUAGES: Readonly<Record<string, LanguagePack>> = { en: ENGLISH, de: GERMAN, fr: FRENCH, es: SPANISH };

export type { Found, Intent, LanguagePack, SaidTime } from './pack.ts';
export { BUILTIN_PROMPTS } from './pack.ts';
export { createSpeller, type Speller } from './spelling.ts';
export { fold } from './fold.ts';
