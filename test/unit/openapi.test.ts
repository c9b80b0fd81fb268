/** Operations of an OpenAPI document as tools of a flow: what they become, and what is said of those that cannot be. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { ProblemsError } from '../../src/contracts/index.ts';
import { FlowShelf, loadFlows, parseFlow, readApis } from '../../src/dialogue/index.ts';

const DOCUMENT = `
openapi: 3.1.0
info: { title: Pets, version: 1.0.0 }
paths:
  /pets/{petId}:
    parameters: [{ $ref: '#/components/parameters/PetId' }]
    get:
      operationId: getPet
      parameters:
        - { name: verbose, in: query, schema: { type: [boolean, 'null'] } }
        - { name: X-Trace, in: header, schema: { type: string } }
    put:
      operationId: feedPet
      parameters: [{ name: dry-run, in: query, schema: { type: boolean } }]
      requestBody: { $ref: '#/components/requestBodies/Meal' }
  /pets:
    post:
      operationId: upload
      requestBody: { required: true, content: { image/png: {} } }
    delete:
      operationId: tenant
      parameters: [{ name: X-Tenant, in: header, required: true, schema: { type: string } }]
  /lost/{id}:
    get: { operationId: lost }
components:
  parameters:
    PetId: { name: petId, in: path, required: true, schema: { $ref: '#/components/schemas/Id' } }
  requestBodies:
    Meal:
      required: true
      content: { 'application/json; charset=utf-8': { schema: { allOf: [{ $ref: '#/components/schemas/Food' }, { properties: { note: { type: string } } }] } } }
  schemas:
    Id: { type: integer }
    Food: { type: object, required: [gramsNow], properties: { gramsNow: { type: number }, cold: { type: boolean } } }
    Loop: { $ref: '#/components/schemas/Loop' }
`;

const flow = (tool: string): string => `flow: pets
language: en
start: over
prompts: { bye: 'Goodbye.' }
tools:
  pet:
    description: About a pet
    effect: read
${tool
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}
steps:
  over: { end: hangup, prompt: bye }
`;
const GET = `openapi: { api: pets, operation: getPet }
arguments: { pet_id: { type: number }, verbose: { type: boolean, optional: true } }`;

const folder = await mkdtemp(join(tmpdir(), 'parley-openapi-'));
const file = join(folder, 'pets.yaml');
await writeFile(file, DOCUMENT);
const sources = { pets: { file, url: 'https://pets.example/v1/' } };
const apis = await readApis(sources);

function problemsOf(tool: string): readonly string[] {
  try {
    parseFlow(flow(tool), 'pets.yaml', [], apis);
    return [];
  } catch (error) {
    if (!(error instanceof ProblemsError)) throw error;
    return error.message.split('\n');
  }
}

async function refused(text: string | Buffer): Promise<string> {
  const broken = join(folder, 'broken.yaml');
  await writeFile(broken, text);
  return readApis({ pets: { file: broken, url: 'https://pets.example' } }).then(
    () => 'taken',
    (error: unknown) => (error instanceof ProblemsError ? error.message.replace(broken, 'broken.yaml') : 'no ProblemsError'),
  );
}

test('an operation becomes a plain HTTP tool: path, query and body under the names of the document', async (t) => {
  t.strictSame(parseFlow(flow(GET), 'pets.yaml', [], apis).tools['pet']?.target, {
    t: 'http',
    method: 'GET',
    url: 'https://pets.example/v1/pets/{pet_id}',
    query: ['verbose'],
    names: { pet_id: 'petId' },
  });
  const feed = `openapi: { api: pets, operation: feedPet }
arguments: { pet_id: { type: number }, grams_now: { type: number }, dry_run: { type: boolean, optional: true }, note: { optional: true } }`;
  t.strictSame(parseFlow(flow(feed), 'pets.yaml', [], apis).tools['pet']?.target, {
    t: 'http',
    method: 'PUT',
    url: 'https://pets.example/v1/pets/{pet_id}',
    query: ['dry_run'],
    names: { pet_id: 'petId', dry_run: 'dry-run', grams_now: 'gramsNow' },
  });

  // The document is the configuration's: it does not change the version of a flow, and a kept version is looked up in it again.
  const flows = join(folder, 'flows');
  await mkdir(flows);
  await writeFile(join(flows, 'pets.yaml'), flow(GET));
  const shelf = await FlowShelf.open(flows, flows, sources);
  t.match(shelf.file('pets')?.flow.tools['pet']?.target, { t: 'http' });
  t.ok(await shelf.activate('pets'));
  const again = await FlowShelf.open(flows, flows, sources);
  t.match(again.flowFor('pets', 'call')?.flow.tools['pet']?.target, { t: 'http', url: 'https://pets.example/v1/pets/{pet_id}' });
  // A simulation has no documents: the tool is scripted there, and nobody serves it anywhere else.
  const simulated = (await loadFlows(flows)).get('pets');
  t.strictSame(simulated?.flow.tools['pet']?.target, { t: 'port', name: 'openapi.getPet' });
  t.equal(simulated?.flow.version, shelf.file('pets')?.flow.version);
});

test('what is missing is named with file, line and key', (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      'openapi: { api: pet, operation: getPet }',
      /^pets\.yaml:9: tools\.pet\.openapi\.api: is "pet", expected a name in tools\.openapi .*did you mean pets\?/,
    ],
    [
      'openapi: { api: pets, operation: getPets }',
      /^pets\.yaml:9: tools\.pet\.openapi\.operation: is "getPets", which is no operationId of pets; did you mean getPet\?/,
    ],
    ['openapi: { api: pets, operation: upload }', /operation: is "upload", which needs a body that is not JSON/],
    ['openapi: { api: pets, operation: tenant }', /operation: is "tenant", which needs X-Tenant in header, expected/],
    ['openapi: { api: pets, operation: lost }', /operation: is "lost", which has \{id\} in its path and no parameter for it/],
    ['openapi: { api: pets, operation: getPet }', /tools\.pet\.arguments: lack pet_id \(not optional\), expected it: getPet needs petId/],
    ['openapi: { api: pets, operation: getPet }\narguments: { pet_id: { type: number, optional: true } }', /^pets\.yaml:10: .*lack pet_id/],
    ['openapi: { api: pets, operation: feedPet }\narguments: { pet_id: { type: number } }', /lack grams_now .*feedPet needs gramsNow/],
    [
      `${GET.slice(0, -2)}, petid: {} }`,
      /^pets\.yaml:10: tools\.pet\.arguments\.petid: is no parameter of getPet, expected one of pet_id, verbose; did you mean pet_id\?/,
    ],
    [GET.replace('type: number', 'type: string'), /arguments\.pet_id\.type: is string, expected number, as getPet takes it/],
    [`${GET}\nport: a.b`, /has openapi and port, expected only one/],
    ['openapi: { api: pets, operation: 7 }', /openapi\.operation/],
  ];
  for (const [tool, expected] of cases) t.match(problemsOf(tool).join('\n'), expected, tool);
  t.strictSame(problemsOf(GET), []);
  t.end();
});

test('a document that is none, with file and line', async (t) => {
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  t.match(await refused('openapi: 3.1.0\npaths: [\n'), /^broken\.yaml:\d+: is not valid YAML or JSON/);
  t.match(await refused('swagger: "2.0"\n'), /^broken\.yaml.*openapi: is missing, expected an OpenAPI document 3\.0 or 3\.1/);
  t.match(await refused(''), /openapi: is missing/);
  t.match(
    await refused('openapi: 3.1.0\npaths:\n  evil.example/x: { get: { operationId: a } }\n'),
    /^broken\.yaml:3: .*begins with a slash/,
  );
  t.match(
    await refused('openapi: 3.1.0\npaths:\n  /a: { get: { operationId: a } }\n  /b: { get: { operationId: a } }\n'),
    /^broken\.yaml:4: .*is "a" a second time/,
  );
  t.match(await refused(Buffer.alloc(5_000_001, 32)), /has 5000001 bytes, expected at most 5000000/);
  t.equal(await refused(JSON.stringify({ openapi: '3.0.3', paths: { '/a': { get: { operationId: 'a' } } } })), 'taken', 'JSON too');
  t.equal(await refused('openapi: 3.1.0\npaths: { /a: { $ref: "#/paths/~1a" } }\n'), 'taken', 'a reference to itself is nothing');
  await t.rejects(readApis({ pets: { file: join(folder, 'none.yaml'), url: 'https://a.example' } }), /cannot be read \(ENOENT\), expected/);
});
