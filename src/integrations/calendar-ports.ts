/** calendar.free, book, find, reschedule and cancel: what flows may do with a calendar, each for the caller of its call alone. */
import type { ToolValue } from '../contracts/index.ts';
import { type CalDav, type Slot, uidOf } from './caldav.ts';
import type { CallAbout, PortOperation } from './memory.ts';

export const CALENDAR_PORTS = ['calendar.free', 'calendar.book', 'calendar.find', 'calendar.reschedule', 'calendar.cancel'];

export function calendarPorts(calendar: CalDav, nowMs: () => number = () => Date.now()): Readonly<Record<string, PortOperation>> {
  return {
    'calendar.free': async (given, _key, signal) => ({ free: await calendar.isFree(slotOf(given), signal) }),
    'calendar.book': async (given, key, signal, about) => {
      const booked = await calendar.book(slotOf(given, about), key, signal);
      return { booked, booking: booked ? uidOf(key) : '' };
    },
    'calendar.find': async (given, _key, signal, about) => {
      const found = await calendar.next(callerOf(given, about) ?? '', nowMs(), signal);
      return found === null ? { found: false } : { found: true, ...found };
    },
    'calendar.reschedule': async (given, key, signal, about) =>
      calendar.reschedule(String(given['booking']), slotOf(given, about), key, signal, callerOf(given, about)),
    'calendar.cancel': async (given, _key, signal, about) => ({
      cancelled: await calendar.cancelBooking(String(given['booking']), signal, callerOf(given, about)),
    }),
  };
}

/** The flow's own argument is from the call's context as well: no words reach it. */
function callerOf(given: Readonly<Record<string, ToolValue>>, about: CallAbout | undefined): string | undefined {
  return text(given['caller']) ?? about?.caller;
}

const text = (value: ToolValue | undefined): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

function slotOf(given: Readonly<Record<string, ToolValue>>, about?: CallAbout): Slot {
  const caller = callerOf(given, about);
  const reach = text(given['phone']) ?? caller;
  const whom = [text(given['name']), reach].filter((part) => part !== undefined).join(', ');
  return {
    day: String(given['day']),
    time: String(given['time']),
    minutes: Number(given['minutes'] ?? 60),
    title: text(given['title']) ?? 'Appointment',
    ...(whom === '' ? {} : { about: whom }),
    ...(caller === undefined ? {} : { caller }),
    ...(typeof given['remind_minutes'] === 'number' ? { remindMinutes: given['remind_minutes'] } : {}),
  };
}
