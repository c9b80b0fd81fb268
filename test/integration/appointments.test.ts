/** The flow of appointments against a real calendar server: booked, moved and cancelled in words, and every way in which that goes wrong. */
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import type { DialogueEvent } from '../../src/contracts/index.ts';
import { loadFlows } from '../../src/dialogue/index.ts';
import { CalDav, calendarPorts, ErrandDesk, MemoryOutbox, portTools } from '../../src/integrations/index.ts';
import { systemClock, systemTimers } from '../../src/observability/index.ts';
import { FlowCall } from '../support/flow-call.ts';
import { startRadicale } from '../support/radicale.ts';

const CONFIG = join(import.meta.dirname, '..', '..', 'config');
const ZONE = 'Europe/Berlin';
/** A Friday: "on monday" is the 23rd. What is booked must lie ahead of the machine's own clock. */
const NOW = Date.parse('2026-11-20T09:00:00Z');

test('appointments in a real calendar', { timeout: 120_000 }, async (t) => {
  const server = await startRadicale();
  const flaky = await flakyProxy(new URL(server.url));
  t.teardown(async () => {
    await flaky.close();
    await server.stop();
  });
  const loaded = (await loadFlows(join(CONFIG, 'flows'), { factsDirectory: join(CONFIG, 'facts') })).get('appointments');
  if (loaded === undefined) throw new Error('no flow');
  const outbox = new MemoryOutbox();
  const deskOn = (url: string): ErrandDesk => {
    const calendar = new CalDav({ ...server, url, zone: ZONE });
    const ports = { ...calendarPorts(calendar, () => NOW), 'message.remind': outbox.add('reminder') };
    const port = portTools(ports);
    return new ErrandDesk({
      ...{ clock: systemClock, timers: systemTimers, adapters: { port }, model: null },
      approvers: { ask: () => Promise.resolve('denied') },
    });
  };
  let calls = 0;
  /** A call from this number; `say` gives all that the caller hears until it is his turn again. */
  const phone = (caller: string, desk: ErrandDesk, language = 'en') => {
    const call = new FlowCall(loaded, { facts: { from: caller }, language });
    const callId = `call-${(calls += 1)}`;
    const begun = new Set<string>();
    const replies: string[] = [];
    const settle = async (): Promise<string> => {
      for (;;) {
        replies.push(call.reply, call.words);
        for (const { request: asked, definition } of call.of('tool')) {
          if (begun.has(asked.id)) continue;
          begun.add(asked.id);
          const about = { callId, context: { caller }, signal: new AbortController().signal };
          const answer = await new Promise<DialogueEvent>((resolve) =>
            desk.begin({ t: 'tool', request: asked, definition }, about, (event) => {
              if (event.t !== 'errand-slow') resolve(event);
            }),
          );
          call.tell(answer);
          replies.push(call.reply, call.words);
        }
        if (call.state.phase !== 'working') return replies.splice(0).join(' ');
        await sleep(1);
      }
    };
    const say = (text: string): Promise<string> => {
      call.hear(text);
      return settle();
    };
    return { say, call };
  };
  const desk = deskOn(server.url);
  const calendarText = async (): Promise<string> => (await server.raw('GET', '')).text;
  const eventsIn = async (): Promise<number> => (await calendarText()).split('BEGIN:VEVENT').length - 1;

  await t.test('1. booked: it is in the calendar with the number, in the zone, with an alarm for people', async (t) => {
    const ann = phone('+49 30 111', desk);
    t.match(await ann.say('i need an appointment on monday at ten'), 'read_back');
    t.match(await ann.say('yes'), /booked.*Monday the 23rd of November at ten/);
    t.match(await ann.say('no thank you'), 'hangup: booked');
    const text = await calendarText();
    t.match(text, 'DTSTART:20261123T090000Z');
    t.match(text, 'CONTACT:+4930111');
    t.match(text, 'SUMMARY:Appointment by telephone');
    t.match(text, /TRIGGER:-PT(60M|1H)/);
  });

  await t.test('2. taken for the next caller, who gets another time and a reminder', async (t) => {
    const ben = phone('030222', desk);
    await ben.say('i need an appointment on monday at ten');
    t.match(await ben.say('yes'), 'taken ask_day');
    await ben.say('on monday at eleven');
    t.match(await ben.say('yes'), /booked.*eleven/);
    t.match(await ben.say('yes please'), 'ask_same');
    t.match(await ben.say('yes'), 'ordered');
    t.strictSame([...outbox.done.values()].at(-1)?.given, { day: '2026-11-23', time: '11:00', caller: '030222' });
    t.equal(await eventsIn(), 2);
  });

  await t.test('3. moved by the number, however it is written; what people wrote there stays', async (t) => {
    const [, name = ''] = /UID:([0-9a-f]{32})[^]*?CONTACT:\+4930111/.exec((await calendarText()).split('BEGIN:VEVENT')[1] ?? '') ?? [];
    const mine = name === '' ? (/UID:([0-9a-f]{32})/.exec((await calendarText()).split('BEGIN:VEVENT')[2] ?? '')?.[1] ?? '') : name;
    const old = (await server.raw('GET', `${mine}.ics`)).text;
    await server.raw('PUT', `${mine}.ics`, old.replace('SUMMARY:Appointment by telephone', 'SUMMARY:Ann\\, second visit'));
    const ann = phone('0049 30 111', desk);
    t.match(await ann.say('i would like to move my appointment'), /yours new_day.*Monday the 23rd of November at ten/);
    await ann.say('to tuesday at three');
    t.match(await ann.say('yes'), /moved.*Tuesday.*three/);
    t.match(await calendarText(), 'SUMMARY:Ann\\, second visit');
    t.match(await calendarText(), 'DTSTART:20261124T140000Z');
    t.notMatch(await calendarText(), 'DTSTART:20261123T090000Z');
    t.equal(await eventsIn(), 2);
  });

  await t.test('4. moved onto a taken time: the old one stands until there is a free one', async (t) => {
    const ann = phone('+4930111', desk);
    await ann.say('move my appointment');
    await ann.say('to monday at eleven');
    t.match(await ann.say('yes'), 'taken ask_day');
    t.match(await calendarText(), 'DTSTART:20261124T140000Z');
    await ann.say('on monday at nine');
    t.match(await ann.say('yes'), 'moved');
    t.equal(await eventsIn(), 2);
  });

  await t.test('5. another number finds nothing, and cannot cancel what it names', async (t) => {
    const eve = phone('0309999', desk);
    t.match(await eve.say('cancel my appointment'), 'none_found');
    const uid = /UID:([0-9a-f]{32})/.exec(await calendarText())?.[1] ?? '';
    const ports = calendarPorts(new CalDav({ ...server, zone: ZONE }));
    const about = { callId: 'x', caller: '0309999' };
    const signal = AbortSignal.timeout(5000);
    t.strictSame(await ports['calendar.cancel']?.({ booking: uid }, 'k', signal, about), { cancelled: false });
    const slot = { booking: uid, day: '2026-12-01', time: '10:00', minutes: 30 };
    t.match(await ports['calendar.reschedule']?.(slot, 'k', signal, about), { moved: 'unknown' });
    t.equal(await eventsIn(), 2);
  });

  await t.test('6. gone while he talks: he is told so, nothing is made up', async (t) => {
    const ben = phone('030222', desk);
    t.match(await ben.say('cancel my appointment'), 'ask_sure');
    const uid =
      /UID:([0-9a-f]{32})/.exec((await calendarText()).split('BEGIN:VEVENT').find((part) => part.includes('030222')) ?? '')?.[1] ?? '';
    t.equal((await server.raw('DELETE', `${uid}.ics`)).status, 200);
    t.match(await ben.say('yes'), /gone_already.*hangup: cancelled/);
    const ann = phone('+4930111', desk);
    await ann.say('move my appointment');
    await ann.say('to tuesday at three');
    const mine = /UID:([0-9a-f]{32})/.exec(await calendarText())?.[1] ?? '';
    t.equal((await server.raw('DELETE', `${mine}.ics`)).status, 200);
    t.match(await ann.say('yes'), 'none_found');
    t.equal(await eventsIn(), 0);
  });

  await t.test('7. two callers want the same time at once: one has it, the other hears that it is taken', async (t) => {
    for (let round = 0; round < 5; round++) {
      const both = [phone('030333', desk), phone('030444', desk)];
      const day = `on december ${round + 1} at ten`;
      for (const one of both) t.match(await one.say(`i need an appointment ${day}`), 'read_back');
      const [first = '', second = ''] = await Promise.all(both.map((one) => one.say('yes')));
      t.strictSame([/\bbooked\b/.test(first), /\bbooked\b/.test(second)].sort(), [false, true], `${first} | ${second}`);
      t.ok(/\btaken\b/.test(first) || /\btaken\b/.test(second));
    }
    t.equal(await eventsIn(), 5);
  });

  await t.test('8. cancelled in German: the time is free again', async (t) => {
    const before = await eventsIn();
    const call = phone('030555', desk, 'de');
    await call.say('ich hätte gern einen termin am mittwoch um zehn uhr');
    t.match(await call.say('ja genau'), /eingetragen/);
    const again = phone('030555', desk, 'de');
    t.match(await again.say('ich möchte meinen termin absagen'), /gefunden.*Mittwoch.*zehn/);
    t.match(await again.say('ja'), /abgesagt/);
    t.equal(await eventsIn(), before);
  });

  await t.test('9. the server fails, or hangs: a word, and a colleague; what was booked nonetheless is booked once', async (t) => {
    const before = await eventsIn();
    const shaky = deskOn(flaky.url);
    flaky.mode = 'fails';
    const cara = phone('030666', shaky);
    await cara.say('i need an appointment on thursday at ten');
    t.match(await cara.say('yes'), /tool_failed.*-> host/);
    flaky.mode = 'hangs';
    const dan = phone('030777', shaky);
    await dan.say('i need an appointment on thursday at ten');
    const began = Date.now();
    t.match(await dan.say('yes'), /tool_failed.*-> host/);
    t.ok(Date.now() - began < 10_000, 'a bounded wait');
    t.equal(await eventsIn(), before);
    // The answer to the first writing is lost: the second try finds its own event.
    flaky.mode = 'loses-one-answer';
    const fay = phone('030888', shaky);
    await fay.say('i need an appointment on thursday at ten');
    t.match(await fay.say('yes'), /\bbooked\b/);
    t.equal(await eventsIn(), before + 1);
  });

  await t.test('10. what people enter counts: whole days, weeks of a series; what is free or cancelled does not', async (t) => {
    const put = (name: string, lines: readonly string[]): Promise<{ status: number }> => {
      const head = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//people//EN', 'BEGIN:VEVENT', `UID:${name}`, 'DTSTAMP:20261101T000000Z'];
      return server.raw('PUT', `${name}.ics`, [...head, ...lines, 'END:VEVENT', 'END:VCALENDAR', ''].join('\r\n'));
    };
    const ports = calendarPorts(new CalDav({ ...server, zone: ZONE }));
    const isFree = async (day: string, time: string): Promise<unknown> =>
      ports['calendar.free']?.({ day, time, minutes: 30 }, 'k', AbortSignal.timeout(5000));
    const zoned = [
      'DTSTART;TZID=Europe/Berlin:20261109T140000',
      'DTEND;TZID=Europe/Berlin:20261109T150000',
      'RRULE:FREQ=WEEKLY',
      'SUMMARY:team',
    ];
    t.equal((await put('series', zoned)).status, 201);
    t.strictSame(await isFree('2026-12-14', '14:00'), { free: false }, 'five weeks later');
    t.strictSame(await isFree('2026-12-14', '16:00'), { free: true });
    t.equal((await put('holiday', ['DTSTART;VALUE=DATE:20261216', 'DTEND;VALUE=DATE:20261217', 'SUMMARY:closed'])).status, 201);
    t.strictSame(await isFree('2026-12-16', '10:00'), { free: false });
    t.equal((await put('birthday', ['DTSTART;VALUE=DATE:20261217', 'DTEND;VALUE=DATE:20261218', 'TRANSP:TRANSPARENT'])).status, 201);
    t.strictSame(await isFree('2026-12-17', '10:00'), { free: true });
    t.equal((await put('off', ['DTSTART:20261218T090000Z', 'DTEND:20261218T100000Z', 'STATUS:CANCELLED'])).status, 201);
    t.strictSame(await isFree('2026-12-18', '10:00'), { free: true });
  });
});

interface Proxy {
  readonly url: string;
  mode: 'passes' | 'fails' | 'hangs' | 'loses-one-answer';
  close(): Promise<void>;
}

/** In front of the real server: passes on, fails, hangs, or drops the connection after the server has done a PUT. */
async function flakyProxy(target: URL): Promise<Proxy> {
  const server = createServer((from, to) => {
    if (proxy.mode === 'fails') {
      to.writeHead(500).end();
      return;
    }
    if (proxy.mode === 'hangs') return;
    const { hostname, port } = target;
    const on = request({ hostname, port, method: from.method, path: from.url, headers: from.headers }, (answer) => {
      if (proxy.mode === 'loses-one-answer' && from.method === 'PUT') {
        proxy.mode = 'passes';
        answer.resume().on('end', () => to.destroy());
        return;
      }
      to.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(to);
    });
    on.on('error', () => to.destroy());
    from.pipe(on);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  const proxy: Proxy = {
    url: url.href,
    mode: 'passes',
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
