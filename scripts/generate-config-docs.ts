/**
 * Writes docs/config.md from the schema of the configuration.
 *   node --import tsx scripts/generate-config-docs.ts [--check]    with --check: exit 1 when the page is stale
 */
import { join } from 'node:path';
import { configJsonSchema, type JsonSchema } from '../src/config/index.ts';
import { cell, writeOrCheck } from './generated-page.ts';

const HEAD = `# Configuration

Generated from \`src/config/schema.ts\` by \`npm run docs\`; do not edit.

One YAML file: \`config/parley.yaml\`, or the one named with \`--config\`. \`config/parley.example.yaml\` has every key with a comment. All keys may
be left out. Unknown keys are errors. \`parley check\` reports everything that is wrong, one line each, and exits with 78:

\`\`\`
config/parley.yaml:17: media.port: is not a known key; did you mean ports?
\`\`\`

- **Keys** are camelCase with their unit in the name (\`waitMs\`, \`spoolMaxMb\`). Names that you give (desks, steps, slots) are small letters and underlines.
- **Relative paths** begin at the folder that Parley is started in.
- **Secrets** are never in this file. Keys that end in \`File\` name a file that holds the secret and nothing else.
- The configuration is read once, at start, and then frozen.
`;

function page(): string {
  const sections = Object.entries(configJsonSchema().properties ?? {}).map(([name, section]) => sectionText(name, section));
  return [HEAD, ...sections].join('\n');
}

function sectionText(name: string, section: JsonSchema): string {
  const rows = rowsOf(name, section);
  return [
    `## ${name}\n\n${section.description ?? ''}\n`,
    '| key | value | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function rowsOf(path: string, schema: JsonSchema): string[] {
  const named = Object.entries(schema.properties ?? {}).map(([key, value]): [string, JsonSchema] => [`${path}.${key}`, value]);
  const any =
    typeof schema.additionalProperties === 'object' ? [[`${path}.NAME`, schema.additionalProperties] as [string, JsonSchema]] : [];
  return [...named, ...any].flatMap(([key, value]) => {
    if (value.properties !== undefined) return rowsOf(key, value);
    const standard = value.default === undefined ? '' : `\`${JSON.stringify(value.default)}\``;
    return [`| \`${key}\` | ${cell(typeOf(value))} | ${cell(standard)} | ${cell(value.description ?? '')} |`];
  });
}

function typeOf(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map(String).join(', ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(', ');
  if (schema.type === 'boolean') return 'true, false';
  if (schema.type === 'string') return 'text';
  if (schema.type === 'array') return 'list';
  if (schema.type !== 'integer' && schema.type !== 'number') return schema.type ?? '';
  return `${schema.minimum ?? ''} to ${schema.maximum ?? ''}`;
}

await writeOrCheck(join(import.meta.dirname, '..', 'docs', 'config.md'), page());
