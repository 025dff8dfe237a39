/** Readers of values that somebody else wrote: each takes anything, and gives what it is or nothing. */

/** A text with something in it. */
export function text(value: unknown): string | null {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  return typeof value === 'string' && value.trim() !== '' ? value : null;
}

/** True, in the words of JSON, CSV and people. */
export function truth(value: unknown): boolean {
  return value === true || value === 1 || (typeof value === 'string' && /^(?:true|t|yes|y|1)$/i.test(value.trim()));
}

/** An object; one without anything for anything else. Only what is its own is ever read of it. */
export function object(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  return Object.assign(Object.create(null), value);
}

/** A list; an empty one for anything else. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The object that a text of JSON holds. */
export function parsed(value: unknown): Readonly<Record<string, unknown>> {
  try {
    return object(typeof value === 'string' ? JSON.parse(value) : value);
  } catch {
    return {};
  }
}

/** A whole name of its parts; null if there are none. */
export function wholeName(...parts: readonly unknown[]): string | null {
  return text(
    parts
      .map(text)
      .filter((part) => part !== null)
      .join(' '),
  );
}

/** A number of milliseconds since 1970, also where it was written as text. */
export function milliseconds(value: unknown): number | null {
  const number = Number(text(value) ?? Number.NaN);
  return Number.isFinite(number) ? number : null;
}

/** Bytes in base64 or base64url, as base64url. */
export function base64url(value: unknown): string {
  return Buffer.from(text(value) ?? '', 'base64').toString('base64url');
}
