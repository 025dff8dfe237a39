import type { App } from '../../app.ts';
import { parseEmailAddress } from '../../lib/email-address.ts';
import { parsePhoneNumber } from '../../lib/phone-number.ts';
import { parseUsername } from '../../lib/username.ts';
import type { Identifier } from '../../records/users.ts';
import { type InputIssue, type InvalidInput, invalidInput } from './outcomes.ts';

/** What a person may be named by in an input: exactly one of these. */
export interface NamedPerson {
  readonly email?: string | null | undefined;
  readonly username?: string | null | undefined;
  readonly phone?: string | null | undefined;
}

/** Whether numbers can be used at all: somebody has to send the messages. */
export function phonesAreOn({ config, hooks }: App): boolean {
  return config.loginIdentifiers.includes('PHONE') && hooks.sendSms !== undefined;
}

/** Whether people have user names. */
export function usernamesAreOn({ config }: App): boolean {
  return config.loginIdentifiers.includes('USERNAME');
}

/**
 * Reads what somebody is named by into the form by which accounts are found and limits count.
 * @param use an address always serves to come back, to log in only where it is one of the login identifiers
 */
export function readIdentifier(
  app: App,
  { email, username, phone }: NamedPerson,
  use: 'login' | 'recovery',
): Identifier | InvalidInput {
  const issues: InputIssue[] = [];
  const emailsAreOn = use === 'recovery' || app.config.loginIdentifiers.includes('EMAIL');
  if (email != null && !emailsAreOn) issues.push({ path: ['email'], code: 'NOT_ALLOWED' });
  if (username != null && !usernamesAreOn(app)) issues.push({ path: ['username'], code: 'NOT_ALLOWED' });
  if (phone != null && !phonesAreOn(app)) issues.push({ path: ['phone'], code: 'NOT_ALLOWED' });
  const given = Object.entries({ email, username, phone }).filter(([, value]) => value != null);
  for (const [path] of given.slice(1)) {
    if (!issues.some((issue) => issue.path[0] === path)) issues.push({ path: [path], code: 'NOT_ALLOWED' });
  }
  const [first] = given;
  if (issues.length > 0) return invalidInput(...issues);
  if (!first?.[1]) return invalidInput({ path: [first?.[0] ?? 'email'], code: 'REQUIRED' });
  return parse(first[0], first[1]) ?? invalidInput({ path: [first[0]], code: 'INVALID' });
}

/** One text for an identifier, for the limits that count for it as long as no account is known. */
export function identifierKey({ email, usernameKey, phone }: Identifier): string {
  return email ?? phone ?? `@${usernameKey}`;
}

function parse(kind: string, typed: string): Identifier | null {
  const none = { email: null, usernameKey: null, phone: null };
  if (kind === 'email') return notNull(parseEmailAddress(typed), (email) => ({ ...none, email }));
  if (kind === 'phone') return notNull(parsePhoneNumber(typed), (phone) => ({ ...none, phone }));
  const name = parseUsername(typed.trim());
  // A name that nobody may take is still one that nobody has: the answer must not say more than of any other.
  return name === 'NOT_ALLOWED'
    ? { ...none, usernameKey: '' }
    : typeof name === 'string'
      ? null
      : { ...none, usernameKey: name.key };
}

function notNull<V, R>(value: V | null, then: (value: V) => R): R | null {
  return value === null ? null : then(value);
}
