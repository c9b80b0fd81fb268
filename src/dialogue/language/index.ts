import { ENGLISH } from './en.ts';
import type { LanguagePack } from './pack.ts';

/** Languages that flows may be written in. */
export const LANGUAGES: Readonly<Record<string, LanguagePack>> = { en: ENGLISH };

export type { Found, Intent, LanguagePack, SaidTime } from './pack.ts';
export { BUILTIN_PROMPTS } from './pack.ts';
