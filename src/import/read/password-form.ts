/**
 * A hash as its system wrote it, in the form that we keep it in (`lib/foreign-hash.ts`). What has no form of ours stays as
 * it is, and is told as unknown.
 * @returns null for what never was a password: nothing, or what Django marks as unusable
 */
export function passwordForm(written: string | null): string | null {
  if (written === null || written.startsWith('!')) return null;
  if (/^\$2[abxy]?\$/.test(written)) return `bcrypt$${written}`;
  if (/^\$argon2(?:id|i|d)\$/.test(written)) return `argon2${written}`;
  if (/^[0-9a-f]{32}:[0-9a-f]{128}$/.test(written)) return `better_auth$${written}`;
  return written;
}
