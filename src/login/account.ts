import type { EmailAddress } from '../lib/email-address.ts';
import type { PhoneNumber } from '../lib/phone-number.ts';
import type { Username } from '../lib/username.ts';
import * as emails from '../records/emails.ts';
import type { PasswordHash } from '../records/passwords.ts';
import * as passwords from '../records/passwords.ts';
import * as phones from '../records/phones.ts';
import * as users from '../records/users.ts';
import type { Unit } from '../unit.ts';

/** What somebody signs up with, read and hashed. */
export interface NewAccount {
  readonly id: string;
  readonly name: string | null;
  readonly email: EmailAddress | null;
  readonly phone: PhoneNumber | null;
  readonly username: { readonly username: Username; readonly key: string } | null;
  /** Null for a sign-up that ends with a passkey. */
  readonly password: PasswordHash | null;
}

/** What became of it: an account, or nothing, because somebody else holds this. */
export type MadeAccount =
  | { readonly kind: 'made' }
  | { readonly kind: 'taken'; readonly path: 'email' | 'username' | 'phone'; readonly holder: string | null };

/** What a sealed sign-up belongs to. */
const SEALED_FOR = 'sign-up';

/**
 * Makes an account of what somebody signs up with, whole or not at all. Where something is taken, the same is written
 * and taken back: the time of an answer must not tell which it was.
 * @param options `keep: false` takes it back in any case, where it is only to look like another way
 */
export async function makeAccount(
  { db, now, config }: Unit,
  account: NewAccount,
  { keep = true }: { readonly keep?: boolean } = {},
): Promise<MadeAccount> {
  const { id, name, email, phone, username, password } = account;
  await Promise.all([db.execute`SAVEPOINT account`, users.create(db, { id, name, now })]);
  const taken: ('email' | 'username' | 'phone')[] = [];
  if (username && !(await users.setUsername(db, id, username))) taken.push('username');
  if (email && !(await emails.addPrimary(db, id, email, now, { release: config.emailVerification !== 'NONE' })))
    taken.push('email');
  if (phone && !(await phones.add(db, id, phone, now))) taken.push('phone');
  if (password) await passwords.set(db, id, password, now);
  const [path] = taken;
  const holder = path === 'phone' || !email ? await phones.holderOf(db, phone) : await emails.holderOf(db, email);
  if (path || !keep) await db.execute`ROLLBACK TO SAVEPOINT account`;
  else await db.execute`RELEASE SAVEPOINT account`;
  return path ? { kind: 'taken', path, holder: path === 'username' ? null : holder } : { kind: 'made' };
}

/** Seals what somebody signed up with, for a login that may have to make the account later. */
export function sealSignUp({ cipher }: Unit, account: NewAccount): string {
  return cipher.seal(JSON.stringify(account), SEALED_FOR);
}

/** Opens what {@link sealSignUp} has sealed; null if no secret of ours does. */
export function openSignUp({ cipher }: Unit, sealed: string): NewAccount | null {
  const opened = cipher.open(sealed, SEALED_FOR);
  return opened === null ? null : JSON.parse(opened);
}
