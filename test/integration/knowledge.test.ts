/** Knowledge in a real Postgres: folders in, answers out, and every bad document by its name. */
import { truncate } from 'node:fs/promises';
import { mkdir, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { startServer } from '../../bench/servers/start.ts';
import type { CallEvent } from '../../src/contracts/index.ts';
import {
  createEmbedder,
  egressTo,
  indexFolder,
  type IndexOptions,
  type IndexReport,
  knowledgePorts,
  searchKnowledge,
} from '../../src/integrations/index.ts';
import { createStore, knowledgeShelf, type Store } from '../../src/store/index.ts';
import { pdf } from '../support/pdf.ts';
import { startPostgres, testFolder } from '../support/postgres.ts';
import { keepingLogger } from '../support/quiet-log.ts';
import { NO_VECTORS, vectorDatabase } from '../support/vector-postgres.ts';

const postgres = await startPostgres();
const TODAY = '2026-11-20';
const logger = keepingLogger();

async function rig(t: { teardown: (down: () => unknown) => void }) {
  const database = await postgres.database();
  const store: Store = createStore({ log: logger, connectionString: database.url('gw_writer'), adminConnectionString: database.url() });
  await store.start();
  const root = await testFolder();
  t.teardown(async () => {
    await store.stop();
    await rm(root, { recursive: true, force: true });
  });
  const folder = join(root, 'docs');
  await mkdir(folder);
  const shelf = knowledgeShelf(store);
  const index = (more: Partial<IndexOptions> = {}, maxAgeDays: number | null = null): Promise<IndexReport> =>
    indexFolder(
      { collection: 'shop', directory: folder, language: 'en', maxAgeDays },
      { shelf, logger, maxFileBytes: 1_000_000, embedder: null, ...more },
    );
  const ask = async (text: string, language = 'en', today = TODAY) =>
    searchKnowledge({ shelf, embedder: null, threshold: 0.5, today: () => today }, { text, collection: 'shop', language }, 3);
  const write = (name: string, text: string | Buffer): Promise<void> => writeFile(join(folder, name), text);
  return { database, store, root, folder, shelf, index, ask, write };
}

test('documents of all kinds are found by the words of a question; what nobody wrote about is not answered', async (t) => {
  const { index, ask, write, shelf, folder } = await rig(t);
  await write(
    'returns.md',
    '---\ndate: 2026-10-01\n---\n# Returns\n\n## Sending back\n\nYou can send everything back within **thirty days**. The [label](https://x.example) is in the parcel.\n\n```\ncode is not said\n```\n\n- Opened software stays with you\n',
  );
  await write(
    'pay.html',
    '<!doctype html><html lang="en"><head><title>x</title><meta name="date" content="2026-09-09"></head><body><nav>Home Basket</nav><h1>Paying</h1><p>You can pay by card, by transfer,<br>or on delivery.</p><script>alert("card")</script><table><tr><td>Express</td><td>4.90 euros</td></tr></table></body></html>',
  );
  await write('stores.csv', 'City;Street;Opening hours\nLeeds;"Park Row; 5";nine to five\nYork;Stonegate 7;ten to six\n');
  await write('warranty.pdf', pdf(['The warranty lasts twenty four months.', 'It covers broken hinges and batteries.']));
  await write('versand.de.md', '# Versand\n\nPakete werden werktags mit der Post verschickt und kommen nach zwei Tagen an.\n');
  await mkdir(join(folder, 'deep'));
  await write('deep/gift.txt', 'Gift wrapping costs two pounds.\n\nWe write a card for you.');
  await write('picture.png', 'not a document');
  await write('.hidden.md', '# Hidden\n\nnobody reads this');
  const report = await index();
  t.match(report, { read: 6, unchanged: 0, removed: 0, problems: [] });

  const [back] = await ask('could you please tell me how i can send something back');
  t.match(back, {
    isAnswer: true,
    path: 'returns.md',
    heading: 'Returns / Sending back',
    date: '2026-10-01',
    text: /within thirty days\. The label is/,
  });
  t.match(await ask('which ways to pay do you have card'), [{ isAnswer: true, path: 'pay.html', heading: 'Paying', date: '2026-09-09' }]);
  t.match(await ask('express 4.90'), [{ path: 'pay.html', text: /Express, 4\.90 euros/ }]);
  t.match(await ask('when is the store in york open'), [
    { isAnswer: true, path: 'stores.csv', heading: 'York', text: /Opening hours: ten to six/ },
  ]);
  t.match(await ask('does the warranty cover broken hinges'), [{ isAnswer: true, path: 'warranty.pdf', heading: 'page 2' }]);
  t.match(await ask('gift wrapping cost'), [{ isAnswer: true, path: 'deep/gift.txt' }]);
  t.match(await ask('wann kommen pakete an', 'de'), [{ isAnswer: true, path: 'versand.de.md' }], 'German stems: Pakete, kommen');
  t.strictSame(await ask('wann kommen pakete an', 'en'), [], 'other languages are not mixed in');
  for (const unknown of [
    'what is the capital of france',
    'do you sell horses',
    'alert',
    'home basket',
    'code',
    'hidden',
    '',
    "'; drop table --",
    '\\',
  ]) {
    const found = await ask(unknown);
    t.notOk(
      found.some((one) => one.isAnswer),
      `"${unknown}" is not answered`,
    );
  }
  t.match(await shelf.state('shop', TODAY), { documents: 6, tooOld: 0, withVectors: 0, problems: [] });
});

test('a second run reads what changed, and forgets what is gone', async (t) => {
  const { index, ask, write, folder, shelf } = await rig(t);
  await write('a.md', '# Apples\n\nApples cost two pounds.\n');
  await write('b.md', '# Pears\n\nPears cost three pounds.\n');
  const first = await index();
  t.equal(first.read, 2);
  const [before] = await ask('what do pears cost');
  t.match(await index(), { read: 0, unchanged: 2, removed: 0 });
  await write('a.md', '# Apples\n\nApples cost five pounds.\n');
  await unlink(join(folder, 'b.md'));
  t.match(await index(), { read: 1, unchanged: 0, removed: 1 });
  t.match(await ask('what do apples cost'), [{ text: 'Apples cost five pounds.' }]);
  t.notOk(
    (await ask('what do pears cost')).some((one) => one.isAnswer),
    'a deleted file answers nothing',
  );
  await write('b.md', '# Pears\n\nPears cost three pounds.\n');
  await index();
  const [again] = await ask('what do pears cost');
  t.equal(again?.id, before?.id, 'the same passage has the same id');
  await index({}, 30);
  t.match(await index({}, 30), { unchanged: 2 }, 'other settings read everything anew, once');

  await utimes(join(folder, 'a.md'), new Date('2026-01-01'), new Date('2026-01-01'));
  await write('a.md', '---\ndate: 2026-01-01\n---\n# Apples\n\nApples cost six pounds.\n');
  await index({}, 30);
  t.notOk(
    (await ask('what do apples cost')).some((one) => one.isAnswer),
    'too old to be answered from',
  );
  t.match(await ask('what do apples cost', 'en', '2026-01-15'), [{ isAnswer: true }], 'on a day when it was fresh it was');
  t.match(await shelf.state('shop', TODAY), { tooOld: 1 });

  await rm(join(folder, 'a.md'));
  await rm(join(folder, 'b.md'));
  await t.rejects(index(), { code: 'KNOWLEDGE_FOLDER', message: /is empty, but 2 documents .* kept; parley knowledge index --empty/ });
  t.match(await shelf.state('shop', TODAY), { documents: 2 }, 'an unmounted disk deletes nothing');
  t.match(await index({ mayBeEmpty: true }), { removed: 2 });
  await rm(folder, { recursive: true });
  await t.rejects(index(), { code: 'KNOWLEDGE_FOLDER', message: /is not there; what was indexed from it is kept/ });
});

test('documents that cannot be read are named, and the others are indexed', async (t) => {
  const { index, ask, write, folder, root, shelf } = await rig(t);
  await write('good.md', '# Good\n\nBadgers live in the garden.\n');
  await write('huge.md', '');
  await truncate(join(folder, 'huge.md'), 2 * 1024 ** 3);
  await write('locked.pdf', pdf(['Secret prices.'], { locked: true }));
  await write('torn.pdf', pdf(['Half of it.']).subarray(0, 80));
  await write('pretends.pdf', 'hello');
  await write('broken.md', Buffer.from([0x23, 0x20, 0x41, 0x0a, 0x63, 0x61, 0x66, 0xe9, 0x0a]));
  await write('zero.md', 'a\u0000b');
  await write('strange.html', '<meta charset="klingon-1"><p>x');
  await write('open.csv', 'a,b\n"never closed,1\n');
  await writeFile(join(root, 'outside.md'), '# Outside\n\nThe password is swordfish.\n');
  await symlink(join(root, 'outside.md'), join(folder, 'link.md'));
  await symlink('good.md', join(folder, 'inside.md'));
  await symlink('nowhere.md', join(folder, 'dangling.md'));
  await mkdir(join(folder, 'folder.md'));
  await write('latin1.html', Buffer.from('<meta charset="iso-8859-1"><p>Ein Caf\xe9 am Platz.</p>', 'latin1'));
  await write('utf16.txt', Buffer.from('\ufeffZebras are striped animals.', 'utf16le'));
  await write('nested.html', `${'<div>'.repeat(3000)}deep${'</div>'.repeat(3000)}`);
  let steps = 0;
  const report = await index({
    onFile: async (path) => {
      steps += 1;
      if (path === 'vanishing.md') await unlink(join(folder, path));
    },
  });
  t.equal(steps, 15);
  const problems = Object.fromEntries(report.problems.map((one) => [one.path, one.problem]));
  t.match(problems, {
    'huge.md': /has 2148 MB, expected at most 1 MB \(knowledge\.maxFileMb\)/,
    'locked.pdf': /locked by a password: save it without one/,
    'torn.pdf': /is no PDF that can be read|has no text/,
    'pretends.pdf': /called a PDF and is none/,
    'broken.md': /is no UTF-8 text \(first damage in line 2\); save it as UTF-8/,
    'zero.md': /zero bytes/,
    'strange.html': /encoding is "klingon-1"/,
    'open.csv': /quote that is never closed/,
    'link.md': /leads out of the folder/,
    'dangling.md': /link to nothing/,
    'nested.html': /nested deeper than 500/,
  });
  t.equal(Object.keys(problems).length, 11);
  t.match(await ask('where do badgers live'), [{ isAnswer: true }]);
  t.match(await ask('café am platz'), [{ text: 'Ein Café am Platz.' }]);
  t.match(await ask('zebras striped'), [{ isAnswer: true, path: 'utf16.txt' }]);
  t.strictSame(await ask('swordfish password'), []);
  t.match(await shelf.state('shop', TODAY), { problems: { length: 11 } });

  await write('vanishing.md', '# Now\n\nYou see me.\n');
  t.match(
    await index({
      onFile: async (path) => {
        if (path === 'vanishing.md') await unlink(join(folder, path));
      },
    }),
    { vanished: 1 },
    'a file that goes while we look',
  );
  const none = await index({ pdf: { program: 'pdftotext-that-is-not-there' } });
  t.match(none.problems.map((one) => one.problem).join('\n'), /huge|expected at most/, 'unreadable ones are reported at every run');
  await write('good.pdf', pdf(['Fine.']));
  const without = await index({ pdf: { program: 'pdftotext-that-is-not-there' } });
  t.match(
    without.problems.find((one) => one.path === 'good.pdf'),
    { problem: /pdftotext is not there \(Debian: poppler-utils\)/ },
  );
  const slow = await (async () => {
    await write('slow.pdf', pdf(['Slow.']));
    await writeFile(join(root, 'slow.sh'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
    return index({ pdf: { program: join(root, 'slow.sh'), timeoutMs: 200 } });
  })();
  t.match(
    slow.problems.find((one) => one.path === 'slow.pdf'),
    { problem: /was not read within 0\.2 s/ },
  );
  await write('good.md', Buffer.from([0xff, 0x00, 0x41]));
  await index();
  t.notOk(
    (await ask('where do badgers live')).some((one) => one.isAnswer),
    'a document that broke answers nothing any more',
  );
});

test('knowledge.search for flows: the log names the passage before the caller hears it', async (t) => {
  const { index, write, shelf } = await rig(t);
  await write('a.md', '# Apples\n\nApples cost two pounds.\n');
  await index();
  const events: CallEvent[] = [];
  let isLogBroken = false;
  const ports = knowledgePorts({
    ...{ shelf, threshold: 0.5, embedder: null, logger, today: () => TODAY },
    collections: { shop: { language: 'en' } },
    log: (event) => {
      if (isLogBroken) return Promise.reject(new Error('the spool is full'));
      events.push(event);
      return Promise.resolve();
    },
  });
  const search = ports['knowledge.search'];
  if (search === undefined) throw new Error('the port is there');
  const { signal } = new AbortController();
  const callId = '6f1c1c86-4b5e-4e8e-9d3a-0a4a3c1b2d3e';
  t.match(await search({ question: 'what do apples cost' }, 'k', signal, { callId }), {
    found: true,
    answer: 'Apples cost two pounds.',
    source: 'a.md',
    score: 1,
  });
  t.match(await search({ question: 'what do horses cost in spain' }, 'k', signal, { callId }), { found: false, answer: '', passage: '' });
  t.match(events, [
    {
      type: 'knowledge.searched',
      callId,
      body: { collection: 'shop', found: true, passage: /^[0-9a-f]{16}$/, passageSha256: /^[0-9a-f]{64}$/, score: 1 },
    },
    { body: { found: false, passage: null } },
  ]);
  t.notMatch(JSON.stringify(events), /pounds|horses/i, 'no words');
  await t.rejects(search({ question: 'apples', collection: 'secrets' }, 'k', signal), { message: /no such collection/ });
  isLogBroken = true;
  await t.rejects(search({ question: 'what do apples cost' }, 'k', signal), { message: /spool is full/ }, 'not logged, not answered');
});

test('an embedding model without pgvector: a clear message, and words go on working', async (t) => {
  const { index, write, ask, shelf } = await rig(t);
  await write('a.md', '# Apples\n\nApples cost two pounds.\n');
  const asked: number[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      const { input } = JSON.parse(body) as { input: string[] };
      asked.push(input.length);
      response.end(request.url === '/api/embed' ? JSON.stringify({ embeddings: input.map((text) => [text.length, 1, 0]) }) : '{"data":[]}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const embedder = createEmbedder({ url, protocol: 'ollama', model: 'm', egress: egressTo(url) });
  t.strictSame(
    await embedder.embed(Array.from({ length: 33 }, () => 'ab')),
    Array.from({ length: 33 }, () => [2, 1, 0]),
  );
  t.strictSame(asked, [32, 1]);
  const wrong = createEmbedder({ url, protocol: 'openai', model: 'm', egress: egressTo(url) });
  await t.rejects(wrong.embed(['a']), { code: 'KNOWLEDGE_EMBEDDING', message: /another number of vectors/ });
  const report = await index({ embedder });
  t.match(report.withoutVectors, /has no extension vector: install pgvector .* CREATE EXTENSION vector/);
  t.match(await ask('what do apples cost'), [{ isAnswer: true, similarity: null }]);
  const again = { text: 'what do apples cost', collection: 'shop', language: 'en' };
  const settings = { shelf, embedder: { embedder, minSimilarity: 0.9 }, threshold: 0.5, today: () => TODAY };
  t.match(await searchKnowledge(settings, again, 3), [{ isAnswer: true, similarity: null }], 'a call is answered too');
});

test('an embedding model and pgvector: passages are found by their meaning, words and meaning together rank them', async (t) => {
  const database = await vectorDatabase();
  if (database === null) {
    // Debian 12 has no package of pgvector, and its build is not the product's: the rest of the path is proved without.
    t.comment(NO_VECTORS);
    return;
  }
  const server = await startServer('ollama');
  const store = createStore({ log: logger, connectionString: database.url, adminConnectionString: database.url });
  const root = await testFolder();
  t.teardown(async () => {
    await server.stop();
    await store.stop();
    await database.close();
    await rm(root, { recursive: true, force: true });
  });
  await store.start();
  const folder = join(root, 'docs');
  await mkdir(folder);
  await writeFile(
    join(folder, 'money.md'),
    '# Refund\n\nThe refund comes within ten days.\n\n# Delivery\n\nParcels leave our house on weekdays.\n',
  );
  await writeFile(join(folder, 'cars.md'), '# Parking\n\nThere is a place for every car behind the house.\n');
  const shelf = knowledgeShelf(store);
  const embedder = createEmbedder({ url: server.origin, protocol: 'ollama', model: 'stand-in', egress: egressTo(server.origin) });
  const source = { collection: 'shop', directory: folder, language: 'en', maxAgeDays: null };
  const index = (by: typeof embedder | null): Promise<IndexReport> =>
    indexFolder(source, { shelf, logger, maxFileBytes: 1_000_000, embedder: by });
  t.match(await index(embedder), { read: 2, withoutVectors: null });
  t.match(await shelf.state('shop', TODAY), { passages: 3, withVectors: 3 });
  t.match(await index(embedder), { read: 0, unchanged: 2 }, 'the same model: nothing is made again');
  const ask = async (text: string, by: typeof embedder | null = embedder) =>
    searchKnowledge(
      { shelf, embedder: by === null ? null : { embedder: by, minSimilarity: 0.3 }, threshold: 0.5, today: () => TODAY },
      { text, collection: 'shop', language: 'en' },
      3,
    );
  const best = async (text: string, by: typeof embedder | null = embedder): Promise<string> =>
    (await ask(text, by)).find((one) => one.isAnswer)?.heading ?? 'unknown';
  t.equal(await best('do you reimburse', null), 'unknown', 'not by its words');
  t.equal(await best('do you reimburse'), 'Refund', 'by its meaning');
  t.equal(await best('what about my vehicle'), 'Parking');
  t.equal(await best('when do parcels leave'), 'Delivery', 'by its words, as before');
  t.equal(await best('what is the weather in Leeds'), 'unknown');
  const [first] = await ask('refund within ten days');
  t.ok(first?.heading === 'Refund' && first.score > 0.5 && (first.similarity ?? 0) > 0.5, 'both ways lead to it');
  const dead = createEmbedder({ url: 'http://127.0.0.1:9', protocol: 'ollama', model: 'stand-in', egress: egressTo('http://127.0.0.1:9') });
  t.equal(await best('when do parcels leave', dead), 'Delivery', 'the model is away: by words');
  t.equal(await best('do you reimburse', dead), 'unknown');
  const gone = createEmbedder({ url: server.origin, protocol: 'ollama', model: 'nobody', egress: egressTo(server.origin) });
  await t.rejects(gone.embed(['a']), { code: 'KNOWLEDGE_EMBEDDING', message: /status 404/ });
});

test('the database goes', async () => {
  await postgres.close();
});
