/** Tools over real sockets and real servers: HTTP with its fences, a CalDAV server, a Model Context Protocol server over stdio and HTTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import type { ToolTarget, ToolValue } from '../../src/contracts/index.ts';
import {
  CalDav,
  calendarPorts,
  httpTools,
  McpClients,
  NotDone,
  Refused,
  type ToolAdapter,
  TooLarge,
} from '../../src/integrations/index.ts';

import { startRadicale } from '../support/radicale.ts';

const ROOT = join(import.meta.dirname, '..', '..');

function ask(adapter: ToolAdapter, target: ToolTarget, given: Record<string, ToolValue> = {}, ms = 5000, key = 'k1'): Promise<unknown> {
  return adapter({ tool: 'x', target, arguments: given, idempotencyKey: key, signal: AbortSignal.timeout(ms) });
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

test('HTTP: path, query, body and key; lists, private networks, redirects, size and time', async (t) => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      seen.push(`${request.method ?? ''} ${request.url ?? ''} ${body} ${String(request.headers['idempotency-key'])}`);
      if (request.url?.startsWith('/redirect') === true) response.writeHead(302, { location: '/orders/1' }).end();
      else if (request.url?.startsWith('/big') === true) response.end(JSON.stringify({ text: 'x'.repeat(70_000) }));
      else if (request.url?.startsWith('/broken') === true) response.end('{');
      else if (request.url?.startsWith('/error') === true) response.writeHead(503).end();
      else if (request.url?.startsWith('/hang') !== true) response.end(JSON.stringify({ status: 'sent' }));
    });
  });
  const port = await listening(server);
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${port}`;
  const http = httpTools({ allow: [host, 'shop.test'], allowPrivate: [host] });
  const get = (path: string): ToolTarget => ({ t: 'http', method: 'GET', url: `http://${host}${path}` });
  t.strictSame(await ask(http, get('/orders/{order}'), { order: 'a/../b', size: 4 }), { status: 'sent' });
  t.equal(seen[0], 'GET /orders/a%2F..%2Fb?size=4  k1');
  await ask(http, { t: 'http', method: 'POST', url: `http://${host}/orders` }, { order: '1' });
  t.equal(seen[1], 'POST /orders {"order":"1"} k1');
  await t.rejects(ask(http, get('/orders/{order}'), { order: '..' }), { message: 'an argument is no part of an address' });
  await t.rejects(ask(http, get('/redirect')), { message: 'status 302' });
  t.equal(seen.length, 3, 'and nobody followed');
  await t.rejects(ask(http, get('/big')), { message: 'the answer is too large' });
  await t.rejects(ask(http, get('/broken')));
  await t.rejects(ask(http, get('/error')), { message: 'status 503' });
  await t.rejects(ask(http, get('/hang'), {}, 100));
  await t.rejects(ask(http, { t: 'http', method: 'GET', url: `http://localhost:${port}/` }), { message: /not on the list/ });
  const strict = httpTools({
    allow: [host, 'shop.test'],
    allowPrivate: [],
    lookup: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
  });
  await ask(
    http,
    {
      ...{ t: 'http', method: 'PUT', url: `http://${host}/orders/{order_id}` },
      ...{ query: ['dry_run'], names: { order_id: 'orderId', dry_run: 'dry-run', item_count: 'itemCount' } },
    },
    { order_id: 7, dry_run: true, item_count: 2, note: 'x' },
  );
  t.equal(seen.at(-1), 'PUT /orders/7?dry-run=true {"itemCount":2,"note":"x"} k1', 'as an operation of an OpenAPI document wants it');
  await t.rejects(ask(strict, get('/')), { message: /private network/ });
  await t.rejects(
    ask(strict, { t: 'http', method: 'GET', url: `http://shop.test:${port}/` }),
    { message: /private network/ },
    'a name that points inside',
  );
  let lookups = 0;
  const pinned = httpTools({
    allow: ['shop.test'],
    allowPrivate: ['shop.test'],
    lookup: () => Promise.resolve([{ address: lookups++ === 0 ? '127.0.0.1' : '10.0.0.1', family: 4 }]),
  });
  t.strictSame(await ask(pinned, { t: 'http', method: 'GET', url: `http://shop.test:${port}/` }), { status: 'sent' });
  t.equal(lookups, 1, 'resolved once');
  t.ok((await ask(pinned, { t: 'mcp', server: 'x', tool: 'y' }).catch((error: unknown) => error)) instanceof Refused);
  const closed = httpTools({ allow: ['127.0.0.1:1'], allowPrivate: ['127.0.0.1:1'] });
  const gone = await ask(closed, { t: 'http', method: 'GET', url: 'http://127.0.0.1:1/' }).catch((error: unknown) => error);
  t.ok(gone instanceof NotDone, 'nothing happened');
  t.ok(new TooLarge('x') instanceof Error);
});

// ---- CalDAV ----

test('a calendar on a real CalDAV server', async (t) => {
  const server = await startRadicale();
  t.teardown(() => server.stop());
  const { url } = server;
  const calendar = new CalDav({ url, user: 'parley', password: 'secret', zone: 'Europe/Berlin' });
  const signal = AbortSignal.timeout(20_000);
  const slot = { day: '2026-11-27', time: '19:00', minutes: 60, title: 'Table, for four; inside' };
  t.equal(await calendar.book(slot, 'call1-a', signal), true);
  t.equal(await calendar.book(slot, 'call1-a', signal), true, 'the same act again is the same booking');
  t.equal(await calendar.book({ ...slot, time: '19:30' }, 'call2-a', signal), false, 'the slot is taken');
  t.equal(await calendar.book({ ...slot, time: '20:00' }, 'call3-a', signal), true, 'the next one is free');
  t.equal((await calendar.busy('20261127T000000Z', '20261128T000000Z', signal)).length, 2);
  const both = await Promise.all(['call4-a', 'call5-a'].map((key) => calendar.book({ ...slot, day: '2026-11-28' }, key, signal)));
  t.ok(both.filter(Boolean).length <= 1, 'two at once never both get it');
  const ports = calendarPorts(calendar);
  t.strictSame(await ports['calendar.free']?.({ day: '2026-11-27', time: '19:00' }, 'k', signal), { free: false });
  t.strictSame(await ports['calendar.free']?.({ day: '2026-11-27', time: '17:00' }, 'k', signal), { free: true });
  t.equal(await calendar.cancel('call1-a', signal), true);
  t.equal(await calendar.cancel('call1-a', signal), false);
  t.strictSame(await ports['calendar.free']?.({ day: '2026-11-27', time: '19:00' }, 'k', signal), { free: true });
  t.equal(await calendar.book({ ...slot, day: '2026-10-25', time: '02:30' }, 'dst', signal), true, 'the hour that comes twice');
  t.match(await calendar.busy('20261024T230000Z', '20261025T030000Z', signal), [{ from: '20261025T003000Z' }]);
  // As a flow does it: book with a reminder, move, move onto a taken slot, cancel.
  const act = async (name: string, given: Record<string, ToolValue>, key: string) =>
    (await ports[name]?.(given, key, signal)) as Record<string, unknown>;
  const haircut = { day: '2026-12-01', time: '10:00', minutes: 30, title: 'Haircut', remind_minutes: 60 };
  const { booking } = (await act('calendar.book', haircut, 'c9-b')) as { booking: string };
  t.match(booking, /^[0-9a-f]{32}$/);
  t.match((await server.raw('GET', `${booking}.ics`)).text, /BEGIN:VALARM[^]*TRIGGER:-PT(60M|1H)[^]*END:VALARM/);
  await act('calendar.book', { ...haircut, time: '12:00' }, 'c8-b');
  t.match(await act('calendar.reschedule', { ...haircut, booking, time: '12:15' }, 'c9-r'), { moved: 'taken', booking });
  t.strictSame(await act('calendar.free', haircut, 'k'), { free: false }, 'the old slot stands');
  const moved = await act('calendar.reschedule', { ...haircut, booking, time: '10:15' }, 'c9-r2');
  t.match(moved, { moved: 'yes' }, 'onto a slot that overlaps its own old one');
  t.notMatch(moved, { booking });
  t.strictSame(await act('calendar.reschedule', { ...haircut, booking, time: '10:15' }, 'c9-r2'), moved, 'the same act again');
  t.equal((await calendar.busy('20261201T000000Z', '20261201T103000Z', signal)).length, 1, 'one event, not two');
  t.match(await act('calendar.reschedule', { ...haircut, booking: 'f'.repeat(32), time: '15:00' }, 'c9-r3'), { moved: 'unknown' });
  await t.rejects(act('calendar.cancel', { booking: '../desk/other' }, 'k'), { message: 'this is no booking of ours' });
  t.strictSame(await act('calendar.cancel', { booking: String(moved['booking']) }, 'k'), { cancelled: true });
  t.strictSame(await act('calendar.cancel', { booking: String(moved['booking']) }, 'k'), { cancelled: false });
  t.strictSame(await act('calendar.free', haircut, 'k'), { free: true });
  const fenced = new CalDav({ ...server, zone: 'Europe/Berlin', egress: { allow: [new URL(url).host], allowPrivate: [] } });
  await t.rejects(fenced.busy('20261201T000000Z', '20261202T000000Z', signal), { message: /private network/ });
  const wrong = new CalDav({ url, user: 'parley', password: 'wrong', zone: 'Europe/Berlin' });
  await t.rejects(wrong.book(slot, 'x', signal), { message: /refused us with status 401/ });
});

// ---- Model Context Protocol ----

test('a real MCP server over stdio and HTTP', async (t) => {
  const program = ['--import', 'tsx', join(ROOT, 'test', 'support', 'mcp-server.ts')];
  const children: ChildProcess[] = [];
  t.teardown(() => {
    for (const child of children) child.kill();
  });
  const http = spawn(process.execPath, [...program, 'http'], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(http);
  const port = await new Promise<string>((resolve) => http.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())));
  const clients = new McpClients({
    stdio: { t: 'stdio', command: process.execPath, args: program },
    http: { t: 'http', url: `http://127.0.0.1:${port}/mcp` },
    none: { t: 'stdio', command: '/no/such/program', args: [] },
  });
  t.teardown(() => clients.close());
  const on = (server: string, tool: string, given: Record<string, ToolValue> = {}, ms = 15_000): Promise<unknown> =>
    ask(clients.adapter, { t: 'mcp', server, tool }, given, ms);
  for (const server of ['stdio', 'http']) {
    t.strictSame(await on(server, 'order', { order: '7' }), { status: 'sent 7' }, server);
    t.strictSame(await on(server, 'text'), { status: 'open' });
    const failed = await on(server, 'fails').catch((error: unknown) => error);
    t.ok(failed instanceof Refused);
    t.notMatch(String(failed), 'secret words');
    await t.rejects(on(server, 'none'));
    await t.rejects(on(server, 'big'), { message: 'the answer is too large' });
    await t.rejects(on(server, 'hangs', {}, 1500));
  }
  await t.rejects(on('stdio', 'dies'), { message: 'the MCP server has ended' });
  const atOnce = await on('stdio', 'text').catch((error: unknown) => error);
  t.ok(!(atOnce instanceof Error) || atOnce instanceof NotDone, 'at once: started again, or told that it will be');
  await new Promise((resolve) => setTimeout(resolve, 1100));
  t.strictSame(await on('stdio', 'text'), { status: 'open' }, 'and is started again');
  t.ok((await on('none', 'text').catch((error: unknown) => error)) instanceof NotDone);
  await t.rejects(on('constructor', 'text'), { message: 'there is no such MCP server' });
});
