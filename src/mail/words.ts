/** No address or name that the gateway takes is longer (RFC 5321 §4.5.3.1). */
const MAX_VALUE = 254;
const MAX_USER_AGENT = 160;

const ORDINARY_ADDRESS = /^(?!www\.)[\p{L}\p{M}\p{N}_+-]+(?:\.[\p{L}\p{M}\p{N}_+-]+)*@[a-z0-9.-]+$/u;

/** Text as one line: line breaks, control and invisible characters (those that turn the writing direction, too) are blanks. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Z}\s]+/gu, ' ').trim();
}

/** As much of a text as is shown, in code points. */
export function cut(text: string, length: number): string {
  const characters = [...text.slice(0, 2 * length + 2)];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}

/**
 * A value that somebody chose (an address, a number, a username), on one line and cut. Mail programs make links of
 * whatever looks like one, and `example.com` is a username, so all but ordinary addresses have their dots, colons and
 * at signs in brackets.
 */
export function inert(value: string): string {
  const line = cut(oneLine(value), MAX_VALUE);
  if (ORDINARY_ADDRESS.test(line)) return line;
  return line.replace(/[\\/]+/g, '/').replace(/@|(?<!\d)[.:\u3002\uff0e\uff61]|[.:\u3002\uff0e\uff61](?!\d)/g, '[$&]');
}

/** What a client calls itself: the words and versions in it, without the signs that links are made of. */
export function deviceName(userAgent: string | null): string {
  const name = (userAgent ?? '')
    .replace(/[^A-Za-z0-9 ();,./_-]+/g, ' ')
    .replace(/(?<!\d)\.|\.(?!\d)/g, ' ')
    .replace(/\/+/g, '/')
    .replace(/ +/g, ' ')
    .trim();
  return cut(name, MAX_USER_AGENT) || 'unknown';
}

/** An IP address, as long as it looks like one. */
export function networkAddress(ipAddress: string | null): string {
  return ipAddress && /^[\da-f:.]{2,45}$/i.test(ipAddress) ? ipAddress : 'unknown';
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A lifetime in words (`10 minutes`, `24 hours`, `7 days`), never longer than it is. */
export function inWords(milliseconds: number): string {
  if (milliseconds >= 2 * DAY && milliseconds % DAY === 0) return count(milliseconds / DAY, 'day');
  if (milliseconds >= HOUR && milliseconds % HOUR === 0) return count(milliseconds / HOUR, 'hour');
  if (milliseconds >= 2 * MINUTE || milliseconds === MINUTE) return count(milliseconds / MINUTE, 'minute');
  return count(milliseconds / SECOND, 'second');
}

function count(amount: number, unit: string): string {
  const whole = Math.floor(amount);
  return `${whole} ${unit}${whole === 1 ? '' : 's'}`;
}

const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });

/** An instant as people read it: `14 October 2026, 09:05 UTC`. */
export function instantInWords(iso: string): string {
  const at = new Date(iso);
  return `${DATE.format(at)}, ${at.toISOString().slice(11, 16)} UTC`;
}
