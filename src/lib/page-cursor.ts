import { isUuid } from './uuid.ts';

/** A place in an ordered list: what it is ordered by, and whose row it was. */
export interface Place {
  readonly key: string;
  readonly id: string;
}

/** Writes a place as clients hand it back. It is not secret, and opens nothing. */
export function writeCursor({ key, id }: Place): string {
  return Buffer.from(JSON.stringify([key, id])).toString('base64url');
}

/** Reads a place as {@link writeCursor} wrote it; null for any other text. */
export function readCursor(text: string): Place | null {
  try {
    const place: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (!Array.isArray(place) || place.length !== 2) return null;
    const [key, id] = place;
    return typeof key === 'string' && key.isWellFormed() && !key.includes('\0') && isUuid(id) ? { key, id } : null;
  } catch {
    return null;
  }
}

/** The instant that a key stands for where a list is ordered by time; null for any other key. */
export function instantOf({ key }: Place): Date | null {
  const instant = /^\d{1,15}$/.test(key) ? new Date(Number(key)) : null;
  return instant && !Number.isNaN(instant.getTime()) ? instant : null;
}
