/**
 * A calendar over CalDAV (RFC 4791). No server keeps two events out of one slot, so a booking is written, read back and withdrawn when
 * another one was there before it. The idempotency key is the event's name: booked twice with the same key is booked once.
 */
import { createHash } from 'node:crypto';
import type { ToolValue } from '../contracts/index.ts';
import { type Answer, type Egress, egressTo, sendPinned } from './egress.ts';
import type { PortOperation } from './memory.ts';
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

const MAX_BYTES = 512 * 1024;

export class CalDav {
  readonly #options: CalDavOptions;

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
    return events(answer.text).filter((event) => event.from < to && event.to > from);
  }

  /** False when the slot is taken. Times are local in the calendar's zone. */
  async book(slot: Slot, key: string, signal: AbortSignal): Promise<boolean> {
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
  async reschedule(
    booking: string,
    slot: Slot,
    key: string,
    signal: AbortSignal,
  ): Promise<{ moved: 'yes' | 'taken' | 'unknown'; booking: string }> {
    const next = uidOf(key);
    const known = await this.#send('GET', `${uidIn(booking)}.ics`, null, {}, signal);
    // A second try after the first one got through finds only the new event.
    if (known.status === 404 && (await this.#send('GET', `${next}.ics`, null, {}, signal)).status === 200)
      return { moved: 'yes', booking: next };
    if (known.status === 404) return { moved: 'unknown', booking: '' };
    if (known.status !== 200) throw failed(known.status);
    const from = toUtc(slot.day, slot.time, this.#options.zone);
    const others = (await this.busy(from, plusMinutes(from, slot.minutes), signal)).filter(
      (event) => event.uid !== booking && event.uid !== next,
    );
    if (others.length > 0) return { moved: 'taken', booking };
    const put = await this.#send('PUT', `${next}.ics`, eventText(next, from, plusMinutes(from, slot.minutes), slot), ICS, signal);
    if (put.status !== 201 && put.status !== 204 && put.status !== 412) throw failed(put.status);
    const [first] = (await this.busy(from, plusMinutes(from, slot.minutes), signal))
      .map((event) => event.uid)
      .filter((uid) => uid !== booking)
      .sort();
    const isOurs = first === undefined || first === next;
    await this.#send('DELETE', `${isOurs ? uidIn(booking) : next}.ics`, null, {}, signal);
    return isOurs ? { moved: 'yes', booking: next } : { moved: 'taken', booking };
  }

  /** By the id that `calendar.book` gave. False when there is no such booking (any more). */
  async cancelBooking(booking: string, signal: AbortSignal): Promise<boolean> {
    return this.#remove(uidIn(booking), signal);
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
  /** Minutes before it when the calendar reminds (VALARM); none when left out. */
  readonly remindMinutes?: number;
}

/** The idempotency key is the event's name. */
const uidOf = (key: string): string => createHash('sha256').update(key).digest('hex').slice(0, 32);

/** Only events that Parley booked have such names: a caller cannot name another one. */
function uidIn(booking: string): string {
  if (!/^[0-9a-f]{32}$/.test(booking)) throw new Refused('this is no booking of ours');
  return booking;
}

/** calendar.free, calendar.book, calendar.reschedule and calendar.cancel, for flows. */
export function calendarPorts(calendar: CalDav, zone: string): Readonly<Record<string, PortOperation>> {
  const slot = (given: Readonly<Record<string, ToolValue>>): Slot => ({
    day: String(given['day']),
    time: String(given['time']),
    minutes: Number(given['minutes'] ?? 60),
    title: typeof given['title'] === 'string' ? given['title'] : 'Appointment',
    ...(typeof given['remindMinutes'] === 'number' ? { remindMinutes: given['remindMinutes'] } : {}),
  });
  return {
    'calendar.free': async (given, _key, signal) => {
      const { day, time, minutes } = slot(given);
      const from = toUtc(day, time, zone);
      return { free: (await calendar.busy(from, plusMinutes(from, minutes), signal)).length === 0 };
    },
    'calendar.book': async (given, key, signal) => {
      const booked = await calendar.book(slot(given), key, signal);
      return { booked, booking: booked ? uidOf(key) : '' };
    },
    'calendar.reschedule': async (given, key, signal) => calendar.reschedule(String(given['booking']), slot(given), key, signal),
    'calendar.cancel': async (given, _key, signal) => ({ cancelled: await calendar.cancelBooking(String(given['booking']), signal) }),
  };
}

function failed(status: number): Error {
  return status >= 500
    ? new Error(`the calendar answered with status ${status}`)
    : new NotDone(`the calendar answered with status ${status}`);
}

function eventText(uid: string, from: string, to: string, { title, remindMinutes }: Slot): string {
  const safe = title
    .replace(/[\\;,]/g, (sign) => `\\${sign}`)
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, 200);
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//Parley//EN',
    'BEGIN:VEVENT',
    `UID:${uid}`,
    `DTSTAMP:${from}`,
    `DTSTART:${from}`,
    `DTEND:${to}`,
  ];
  const before = Math.round(Math.min(20_160, Math.max(0, remindMinutes ?? 0)));
  const alarm =
    remindMinutes === undefined ? [] : ['BEGIN:VALARM', 'ACTION:DISPLAY', `DESCRIPTION:${safe}`, `TRIGGER:-PT${before}M`, 'END:VALARM'];
  return [...lines, `SUMMARY:${safe}`, ...alarm, 'END:VEVENT', 'END:VCALENDAR', ''].join('\r\n');
}

/** Events of a multistatus answer; those whose times are not in UTC take the whole of their day. */
function events(xml: string): Busy[] {
  const text = xml
    .replaceAll('&#13;', '')
    .replaceAll('\r', '')
    .replace(/\n[ \t]/g, '');
  return [...text.matchAll(/BEGIN:VEVENT([^]*?)END:VEVENT/g)].map(([, body = '']) => {
    const field = (name: string): string => new RegExp(`^${name}[^:\\n]*:(.*)$`, 'm').exec(body)?.[1]?.trim() ?? '';
    const at = (name: string, missing: string): string => {
      const value = field(name);
      if (/^\d{8}T\d{6}Z$/.test(value)) return value;
      return /^\d{8}/.test(value) ? `${value.slice(0, 8)}T${missing}Z` : '';
    };
    const from = at('DTSTART', '000000');
    return { uid: field('UID'), from, to: at('DTEND', '235959') || from };
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
