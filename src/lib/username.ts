declare const parsed: unique symbol;

/** A username as its owner writes it. Only {@link parseUsername} makes one. */
export type Username = string & { readonly [parsed]: true };

/** What is wrong with a username. NOT_ALLOWED: it is reserved. */
export type UsernameProblem = 'INVALID' | 'TOO_SHORT' | 'TOO_LONG' | 'NOT_ALLOWED';

const MIN_LENGTH = 3;
const MAX_LENGTH = 32;
// Letters of other scripts look like these, so they are refused rather than folded: a name that is shown is one name.
const FORM = /^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/;

// Names that speak for the service: the mailboxes of RFC 2142, names that people take for its staff, its machines and
// paths, and words that programs take for "nobody". Without signs, as they are compared.
const RESERVED: ReadonlySet<string> = new Set(
  `abuse hostmaster info marketing news noc postmaster sales security support usenet uucp webmaster
   admin administrator billing contact customerservice help helpdesk legal mod moderator official operator owner
   privacy root service staff superuser sysadmin system team verified
   account accounts api auth autoconfig autodiscover daemon dev docs ftp graphql imap localhost login logout mail
   mailerdaemon noreply oauth password pop postern register settings signin signup smtp ssl status test www
   anonymous deleted everyone false guest me myself nil nobody none null self somebody true undefined unknown user
   username you`.split(/\s+/),
);

/**
 * Reads what a person typed as a username: 3 to 32 ASCII letters and digits, with single dots, underscores and hyphens
 * between them. Two names that differ in case are one; their `key` is the same.
 */
export function parseUsername(typed: string): { readonly username: Username; readonly key: string } | UsernameProblem {
  const name = typed.slice(0, 2 * MAX_LENGTH + 1).replace(/^[ \t]+|[ \t]+$/g, '');
  if (name.length > MAX_LENGTH || typed.length > 2 * MAX_LENGTH) return 'TOO_LONG';
  if (name.length < MIN_LENGTH) return 'TOO_SHORT';
  if (!FORM.test(name)) return 'INVALID';
  const key = name.toLowerCase();
  // `ad.min` is read as `admin`.
  if (RESERVED.has(key.replace(/[._-]/g, ''))) return 'NOT_ALLOWED';
  return { username: name as Username, key };
}
