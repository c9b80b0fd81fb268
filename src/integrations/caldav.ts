/**
 * A calendar over CalDAV (RFC 4791). No server keeps two events out of one slot, so a booking is written, read back and withdrawn when
 * another one was there before it; bookings of one gateway go one after the other. The idempotency key is the event's name: booked twice
 * with the same key is booked once.
 */
import { createHash } from 'node:crypto';
import { type Answer, type Egress, egressTo, sendPinned } from './egress.ts';
import { NotDone, Refused } from './ports.ts';

export interface CalDavOptions {
  /** Address of one calendar collection, with a slash at its end. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** IANA name of the zone that times are in, as in 'Europe/Berlin'. */
  readonly zone: string;
  /** Its own host, wherever that is, when left out. */
  readonly egress?: Egress;
}

export interface Busy {
  readonly uid: string;
  /** UTC, 'YYYYMMDDTHHMMSSZ'. */
  readonly from: string;
  readonly to: string;
}

interface Event extends Busy {
  /** Number of whoever booked by telephone. */
  readonly contact: string;
  readonly recurs: boolean;
  /** Takes its time: neither cancelled nor marked as free. */
  readonly blocks: boolean;
}

export interface Moved {
  readonly moved: 'yes' | 'taken' | 'unknown';
  readonly booking: string;
}

export interface Booking {
  readonly booking: string;
  /** Local in the calendar's zone. */
  readonly day: string;
  readonly time: string;
}

const MAX_BYTES = 512 * 1024;

export class CalDav {
  readonly #options: CalDavOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: CalDavOptions) {
    this.#options = options;
  }

  /** Events that touch [from, to), UTC in basic format. */
  async busy(from: string, to: string, signal: AbortSignal): Promise<readonly Busy[]> {
    const query =
      '<?xml version="1.0"?><c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><c:calendar-data/></d:prop>' +
      `<c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT"><c:time-range start="${from}" end="${to}"/>` +
      '</c:comp-filter></c:comp-filter></c:filter></c:calendar-query>';
    const answer = await this.#send('REPORT', '', query, { depth: '1', 'content-type': 'application/xml; charset=utf-8' }, signal);
    if (answer.status !== 207) throw new Error(`the calendar answered with status ${answer.status}`);
    // The server found what recurs: where its next times are stands in a rule that it has read already.
    const found = events(answer.text).map((event) => (event.recurs ? { ...event, from, to } : event));
    return found.filter((event) => event.blocks && event.from < to && event.to > from);
  }

  /** The next booking of ours for this caller that begins after now; null when there is none. */
  async next(caller: string, nowMs: number, signal: AbortSignal): Promise<Booking | null> {
    const number = plainNumber(caller);
    if (number === '') return null;
    const now = basic(nowMs);
    const query =
      '<?xml version="1.0"?><c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop><c:calendar-data/></d:prop>' +
      `<c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT"><c:time-range start="${now}"/>` +
      `<c:prop-filter name="CONTACT"><c:text-match>${number}</c:text-match></c:prop-filter></c:comp-filter></c:comp-filter></c:filter></c:calendar-query>`;
    const answer = await this.#send('REPORT', '', query, { depth: '1', 'content-type': 'application/xml; charset=utf-8' }, signal);
    if (answer.status !== 207) throw new Error(`the calendar answered with status ${answer.status}`);
    const [first] = events(answer.text)
      .filter((event) => event.contact === number && event.from > now && event.blocks && OURS.test(event.uid))
      .sort((one, other) => one.from.localeCompare(other.from));
    return first === undefined ? null : { booking: first.uid, ...fromUtc(first.from, this.#options.zone) };
  }

  async isFree({ day, time, minutes }: Pick<Slot, 'day' | 'time' | 'minutes'>, signal: AbortSignal): Promise<boolean> {
    const from = toUtc(day, time, this.#options.zone);
    return (await this.busy(from, plusMinutes(from, minutes), signal)).length === 0;
  }

  /** False when the slot is taken. Times are local in the calendar's zone. */
  async book(slot: Slot, key: string, signal: AbortSignal): Promise<boolean> {
    return this.#inTurn(signal, () => this.#book(slot, key, signal));
  }

  /** Of two calls of this gateway the second sees what the first has written: reading back alone leaves a moment in which both win. */
  #inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(() => {
      if (signal.aborted) throw new NotDone('the calendar was busy with other calls');
      return work();
    });
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #book(slot: Slot, key: string, signal: AbortSignal): Promise<boolean> {
    const from = toUtc(slot.day, slot.time, this.#options.zone);
    const to = plusMinutes(from, slot.minutes);
    const uid = uidOf(key);
    const before = await this.busy(from, to, signal);
    if (before.some((event) => event.uid === uid)) return true;
    if (before.length > 0) return false;
    const answer = await this.#send('PUT', `${uid}.ics`, eventText(uid, from, to, slot), ICS, signal);
    // 412: an earlier try of the same act got through, its answer did not.
    if (answer.status !== 201 && answer.status !== 204 && answer.status !== 412) throw failed(answer.status);
    const after = await this.busy(from, to, signal);
    const first = after.map((event) => event.uid).sort()[0];
    if (after.length <= 1 || first === uid) return true;
    // Two came at once: the same one of both goes, whoever looks.
    await this.#send('DELETE', `${uid}.ics`, null, {}, signal);
    return false;
  }

  /**
   * Moves a booking: the new slot is taken before the old one is given up, so that a caller never ends with neither. 'unknown': there is
   * no such booking; 'taken': the new slot is not free, the old one stands.
   */
  async reschedule(booking: string, slot: Slot, key: string, signal: AbortSignal, caller?: string): Promise<Moved> {
    return this.#inTurn(signal, () => this.#reschedule(booking, slot, key, signal, caller));
  }

  async #reschedule(booking: string, slot: Slot, key: string, signal: AbortSignal, caller: string | undefined): Promise<Moved> {
    const next = uidOf(key);
    const known = await this.#send('GET', `${uidIn(booking)}.ics`, null, {}, signal);
    // A second try after the first one got through finds only the new event.
    if (known.status === 404 && (await this.#send('GET', `${next}.ics`, null, {}, signal)).status === 200)
      return { moved: 'yes', booking: next };
    if (known.status === 404) return { moved: 'unknown', booking: '' };
    if (known.status !== 200) throw failed(known.status);
    if (!isOf(known.text, caller)) return { moved: 'unknown', booking: '' };
    const from = toUtc(slot.day, slot.time, this.#options.zone);
    const others = (await this.busy(from, plusMinutes(from, slot.minutes), signal)).filter(
      (event) => event.uid !== booking && event.uid !== next,
    );
    if (others.length > 0) return { moved: 'taken', booking };
    const text = eventText(next, from, plusMinutes(from, slot.minutes), slot, known.text);
    const put = await this.#send('PUT', `${next}.ics`, text, ICS, signal);
    if (put.status !== 201 && put.status !== 204 && put.status !== 412) throw failed(put.status);
    const [first] = (await this.busy(from, plusMinutes(from, slot.minutes), signal))
      .map((event) => event.uid)
      .filter((uid) => uid !== booking)
      .sort();
    const isOurs = first === undefined || first === next;
    if (isOurs && (await this.#remove(uidIn(booking), signal))) return { moved: 'yes', booking: next };
    await this.#remove(next, signal);
    // Somebody moved or cancelled it meanwhile: there must not be two of it.
    return isOurs ? { moved: 'unknown', booking: '' } : { moved: 'taken', booking };
  }

  /** By the id that `calendar.book` gave. False when there is no such booking (any more), or it is not this caller's. */
  async cancelBooking(booking: string, signal: AbortSignal, caller?: string): Promise<boolean> {
    const uid = uidIn(booking);
    if (caller !== undefined) {
      const known = await this.#send('GET', `${uid}.ics`, null, {}, signal);
      if (known.status === 404) return false;
      if (known.status !== 200) throw failed(known.status);
      if (!isOf(known.text, caller)) return false;
    }
    return this.#remove(uid, signal);
  }

  /** By the key it was booked with. */
  async cancel(key: string, signal: AbortSignal): Promise<boolean> {
    return this.#remove(uidOf(key), signal);
  }

  async #remove(uid: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#send('DELETE', `${uid}.ics`, null, {}, signal);
    if (answer.status !== 200 && answer.status !== 204 && answer.status !== 404) throw failed(answer.status);
    return answer.status !== 404;
  }

  async #send(
    method: string,
    name: string,
    body: string | null,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { url, user, password } = this.#options;
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    const request = { method, body, signal, headers: { ...headers, authorization }, maxBytes: MAX_BYTES };
    const answer = await sendPinned(new URL(name, url), request, this.#options.egress ?? egressTo(url));
    if (answer.status === 401 || answer.status === 403) throw new Refused(`the calendar refused us with status ${answer.status}`);
    return answer;
  }
}

const ICS = { 'if-none-match': '*', 'content-type': 'text/calendar; charset=utf-8' };

export interface Slot {
  readonly day: string;
  readonly time: string;
  readonly minutes: number;
  readonly title: string;
  /** Whom it is for, as whoever reads the calendar needs it: a name, a number. */
  readonly about?: string;
  /** The number of whoever books: by it the booking is found again. */
  readonly caller?: string;
  /** Minutes before it when the calendar reminds (VALARM); none when left out. */
  readonly remindMinutes?: number;
}

/** The idempotency key is the event's name. */
export const uidOf = (key: string): string => createHash('sha256').update(key).digest('hex').slice(0, 32);

/** Only events that Parley booked have such names: a caller cannot name another one. */
const OURS = /^[0-9a-f]{32}$/;

function uidIn(booking: string): string {
  if (!OURS.test(booking)) throw new Refused('this is no booking of ours');
  return booking;
}

function failed(status: number): Error {
  return status >= 500
    ? new Error(`the calendar answered with status ${status}`)
    : new NotDone(`the calendar answered with status ${status}`);
}

/** `before`: the event that it takes the place of; what people wrote there stays. */
function eventText(uid: string, from: string, to: string, slot: Slot, before = ''): string {
  const { title, about, caller = '', remindMinutes } = slot;
  const old = unfolded(before);
  const kept = (name: string, text: string): string[] => {
    const known = new RegExp(`^${name}[;:].*$`, 'm').exec(old)?.[0];
    return known === undefined ? (text === '' ? [] : [`${name}:${text}`]) : [known];
  };
  const aheadMinutes = Math.round(Math.min(20_160, Math.max(0, remindMinutes ?? 0)));
  const alarm =
    remindMinutes === undefined
      ? (/BEGIN:VALARM[^]*END:VALARM/.exec(old)?.[0].split('\n') ?? [])
      : ['BEGIN:VALARM', 'ACTION:DISPLAY', `DESCRIPTION:${safe(title)}`, `TRIGGER:-PT${aheadMinutes}M`, 'END:VALARM'];
  const lines = [
    ...['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//Parley//EN', 'BEGIN:VEVENT'],
    ...[`UID:${uid}`, `DTSTAMP:${from}`, `DTSTART:${from}`, `DTEND:${to}`],
    ...kept('SUMMARY', safe(title)),
    ...kept('DESCRIPTION', safe(about ?? '')),
    ...kept('CONTACT', plainNumber(caller)),
    ...alarm,
  ];
  return [...lines.flatMap(folded), 'END:VEVENT', 'END:VCALENDAR', ''].join('\r\n');
}

const safe = (text: string): string =>
  text
    .replace(/[\\;,]/g, (sign) => `\\${sign}`)
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, 200);

/** Lines longer than 75 octets go on in the next one (RFC 5545, 3.1). */
function folded(line: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (const sign of line) {
    if (Buffer.byteLength(part + sign) > 74) {
      parts.push(part);
      part = ' ';
    }
    part += sign;
  }
  return [...parts, part];
}

const unfolded = (text: string): string =>
  text
    .replaceAll('&#13;', '')
    .replaceAll('\r', '')
    .replace(/\n[ \t]/g, '');

/** The number without what people write between digits. */
function plainNumber(number: string): string {
  const bare = number.replace(/[^\d+]/g, '');
  return bare.startsWith('00') ? `+${bare.slice(2)}` : bare;
}

/** A booking that names somebody else is not this caller's. */
function isOf(text: string, caller: string | undefined): boolean {
  const contact = /^CONTACT[^:\n]*:(.*)$/m.exec(unfolded(text))?.[1]?.trim() ?? '';
  return caller === undefined || contact === '' || contact === plainNumber(caller);
}

/** Events of a multistatus answer; those whose times are not in UTC take the whole of their day. */
function events(xml: string): Event[] {
  return [...unfolded(xml).matchAll(/BEGIN:VEVENT([^]*?)END:VEVENT/g)].map(([, body = '']) => {
    const field = (name: string): string => new RegExp(`^${name}[^:\\n]*:(.*)$`, 'm').exec(body)?.[1]?.trim() ?? '';
    const at = (name: string, missing: string): string => {
      const value = field(name);
      if (/^\d{8}T\d{6}Z$/.test(value)) return value;
      return /^\d{8}/.test(value) ? `${value.slice(0, 8)}T${missing}Z` : '';
    };
    const from = at('DTSTART', '000000');
    return {
      ...{ uid: field('UID'), from, to: at('DTEND', '235959') || from, contact: field('CONTACT') },
      recurs: field('RRULE') !== '' || field('RDATE') !== '',
      blocks: field('STATUS') !== 'CANCELLED' && field('TRANSP') !== 'TRANSPARENT',
    };
  });
}

/** Local time of a zone as UTC. In the hour that comes twice the first one is meant; one that does not exist is moved on. */
export function toUtc(day: string, time: string, zone: string): string {
  const wanted = Date.parse(`${day}T${time}:00Z`);
  if (Number.isNaN(wanted)) throw new Refused('this is no day and time');
  let found = wanted - offsetMs(wanted, zone);
  found = wanted - offsetMs(found, zone);
  const earlier = found - 3_600_000;
  if (earlier + offsetMs(earlier, zone) === wanted) found = earlier;
  return basic(found);
}

/** UTC in basic format as day and time of a zone. */
function fromUtc(utc: string, zone: string): { day: string; time: string } {
  const utcMs = Date.parse(utc.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/, '$1-$2-$3T$4:$5:$6Z'));
  const local = new Date(utcMs + offsetMs(utcMs, zone)).toISOString();
  return { day: local.slice(0, 10), time: local.slice(11, 16) };
}

function offsetMs(utcMs: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(utcMs);
  const part = (type: string): number => Number(parts.find((one) => one.type === type)?.value ?? 0);
  return (
    Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second')) - Math.floor(utcMs / 1000) * 1000
  );
}

function plusMinutes(utc: string, minutes: number): string {
  const iso = utc.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/, '$1-$2-$3T$4:$5:$6Z');
  return basic(Date.parse(iso) + minutes * 60_000);
}

function basic(utcMs: number): string {
  return new Date(utcMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
}
