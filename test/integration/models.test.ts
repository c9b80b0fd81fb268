/** Model files from a real HTTP server: resumed, verified, and refused when they are not what was promised. */
import { createHash, randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { modelsVerify } from '../../src/cli/models.ts';
import { download, type ModelFile, readModels, stateOf } from '../../src/cli/model-files.ts';

const BYTES = randomBytes(300_000);
const SHA256 = createHash('sha256').update(BYTES).digest('hex');
const nothing = (): void => undefined;

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const whole: Answer = (_request, response) => response.end(BYTES);
const ranged: Answer = (request, response) => {
  const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  response.writeHead(from > 0 ? 206 : 200);
  response.end(BYTES.subarray(from));
};

test('model files', async (t) => {
  let answer: Answer = whole;
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    answer(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const root = await mkdtemp(join(tmpdir(), 'parley-models-'));
  t.teardown(async () => {
    server.closeAllConnections();
    server.close();
    await rm(root, { recursive: true, force: true });
  });
  await mkdir(join(root, 'models'));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/m.bin`;
  const file = (path: string, more: Partial<ModelFile> = {}): ModelFile => ({
    path: `models/${path}`,
    url,
    bytes: BYTES.length,
    sha256: SHA256,
    ...more,
  });

  await t.test('1. a whole file is verified and gets its name', async (t) => {
    const seen: number[] = [];
    await download(root, file('a'), (bytes) => seen.push(bytes));
    t.equal(await stateOf(root, file('a'), true), 'ok');
    t.equal(seen.at(-1), BYTES.length);
  });

  await t.test('2. a download that broke off goes on where it stopped', async (t) => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': BYTES.length });
      response.write(BYTES.subarray(0, 100_000), () => response.destroy());
    };
    await t.rejects(download(root, file('b'), nothing), { code: 'MODEL_DOWNLOAD' });
    t.equal(await stateOf(root, file('b'), true), 'partial');
    const had = (await readFile(join(root, 'models/b.part'))).length;
    answer = ranged;
    await download(root, file('b'), nothing);
    t.equal(ranges.at(-1), had > 0 ? `bytes=${had}-` : undefined);
    t.equal(await stateOf(root, file('b'), true), 'ok');
  });

  await t.test('3. a server without ranges sends all again, and that is right too', async (t) => {
    await writeFile(join(root, 'models/c.part'), BYTES.subarray(0, 1000));
    answer = whole;
    await download(root, file('c'), nothing);
    t.equal(await stateOf(root, file('c'), true), 'ok');
  });

  await t.test('4. other bytes are thrown away and never get the name', async (t) => {
    answer = whole;
    await t.rejects(download(root, file('d', { sha256: '0'.repeat(64) }), nothing), { code: 'MODEL_DAMAGED' });
    t.equal(await stateOf(root, file('d'), true), 'missing');
  });

  await t.test('5. too many bytes, too few, an error page, nobody there', async (t) => {
    answer = whole;
    await t.rejects(download(root, file('e', { bytes: 1000 }), nothing), { code: 'MODEL_DOWNLOAD' });
    await t.rejects(download(root, file('f', { bytes: BYTES.length + 1 }), nothing), { code: 'MODEL_DOWNLOAD' });
    answer = (_request, response) => response.writeHead(404).end('no');
    await t.rejects(download(root, file('g'), nothing), { code: 'MODEL_DOWNLOAD', message: /404/ });
    await t.rejects(download(root, file('h', { url: 'http://127.0.0.1:1/' }), nothing), {
      code: 'MODEL_DOWNLOAD',
      message: /cannot be reached/,
    });
  });

  await t.test('6. what lies on the disk is judged by every byte', async (t) => {
    await writeFile(
      join(root, 'models/i'),
      BYTES.map((byte, i) => (i === 77 ? byte ^ 1 : byte)),
    );
    t.equal(await stateOf(root, file('i'), false), 'ok', 'the size alone says nothing');
    t.equal(await stateOf(root, file('i'), true), 'damaged');
    await writeFile(join(root, 'models/i'), BYTES.subarray(1));
    t.equal(await stateOf(root, file('i'), false), 'damaged');
  });

  await t.test('7. the shipped list: built-in files are there and whole, the others have an address, and every name is one', async (t) => {
    const project = join(import.meta.dirname, '../..');
    const models = await readModels(project);
    t.equal(new Set(models.map((model) => model.name)).size, models.length);
    for (const model of models) {
      for (const each of model.files) {
        t.match(each.sha256, /^[0-9a-f]{64}$/);
        if (each.url === undefined) t.equal(await stateOf(project, each, true), 'ok', each.path);
        else t.match(each.url, /^https:/);
      }
    }
  });

  await t.test('8. verify of the shipped detector: whole, one bit changed, cut short, gone', async (t) => {
    const project = join(import.meta.dirname, '../..');
    const copy = join(root, 'copy');
    const model = join(copy, 'models/vad/silero-vad-v6.onnx');
    await cp(join(project, 'models/models.json'), join(copy, 'models/models.json'));
    await cp(join(project, 'models/vad'), join(copy, 'models/vad'), { recursive: true });
    const bytes = await readFile(model);
    const printed = t.capture(console, 'log');
    const verify = async (): Promise<unknown> => ({
      exit: await modelsVerify('silero-vad-v6', { root: copy }),
      said: printed().at(-1)?.args,
    });
    t.same(await verify(), { exit: 0, said: ['ok       models/vad/silero-vad-v6.onnx'] });
    await writeFile(
      model,
      bytes.map((byte, i) => (i === 1_000_000 ? byte ^ 1 : byte)),
    );
    t.same(await verify(), { exit: 1, said: ['damaged  models/vad/silero-vad-v6.onnx'] });
    await writeFile(model, bytes.subarray(0, -1));
    t.same(await verify(), { exit: 1, said: ['damaged  models/vad/silero-vad-v6.onnx'] });
    await rm(model);
    t.same(await verify(), { exit: 1, said: ['missing  models/vad/silero-vad-v6.onnx'] });
  });
});
