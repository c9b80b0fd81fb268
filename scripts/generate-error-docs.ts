/**
 * Writes docs/errors.md from the error registry.
 *   node --import tsx scripts/generate-error-docs.ts [--check]    with --check: exit 1 when the page is stale
 */
import { join } from 'node:path';
import { ERRORS, type ErrorKind } from '../src/contracts/index.ts';
import { cell, writeOrCheck } from './generated-page.ts';

const HEAD = `# Errors

Generated from \`src/contracts/errors.ts\` by \`npm run docs\`; do not edit.

Every error has a code that stays the same for ever and is never used for anything else. "Retry" says whether the same request may succeed
later without any change. A message says what happened, where and what to do.

| code | meaning | what to do | retry |
| --- | --- | --- | --- |
`;

const rows = Object.entries<ErrorKind>(ERRORS).map(
  ([code, { meaning, action, retryable }]) => `| \`${code}\` | ${cell(meaning)} | ${cell(action)} | ${retryable ? 'yes' : 'no'} |\n`,
);

await writeOrCheck(join(import.meta.dirname, '..', 'docs', 'errors.md'), HEAD + rows.join(''));
