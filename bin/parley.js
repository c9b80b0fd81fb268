#!/usr/bin/env node
// The command line: the sources in a clone (through tsx), the built program in an installation.
import { existsSync } from 'node:fs';
const source = new URL('../src/cli/main.ts', import.meta.url);
if (existsSync(source) && process.env.PARLEY_DIST === undefined) {
  const { register } = await import('tsx/esm/api');
  register();
  await import(source.href);
} else {
  await import(new URL('../dist/cli/main.js', import.meta.url).href);
}
