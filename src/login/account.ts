import type { EmailAddress } from '../lib/email-address.ts';
import type { PhoneNumber } from '../lib/phone-number.ts';
import type { FieldValues } from '../lib/user-fields/declaration.ts';
import type { Username } from '../lib/username.ts';
import * as emails from '../records/emails.ts';
import type { PasswordHash } from '../records/passwords.ts';
import * as passwords from '../records/passwords.ts';
import * as phones from '../records/phones.ts';
import * as users from '../records/users.ts';
import type { Unit } from '../unit.ts';
import { announceConnection, type Identity, joinIdentity } from './identity.ts';

/** What somebody signs up with, read and hashed. */
export interface NewAccount {
  readonly id: string;
  readonly name: string | null;
  readonly email: EmailAddress | null;
  readonly phone: PhoneNumber | null;
  readonly username: { readonly username: Username; readonly key: string } | null;
  /** Null for a sign-up that ends with a passkey, or began at a provider. */
  readonly password: PasswordHash | null;
  /**
   * The account at a provider that it is made from, if any. One that has seen the mailbox belongs to the account at once;
   * any other joins with the first session, so that nothing tells before whether the address was free.
   */
  readonly identity?: Identity | null;
  /** Whether somebody else vouches for the address: the token of an invitation that went there, or an administrator. */
  readonly mailboxIsProven?: boolean;
  /** By the operator's word, or an administrator's. */
  readonly roles?: readonly string[];
  /** The operator's own fields. Nothing of it is unique: that would tell whose account there is. */
  readonly fields?: FieldValues;
}

/** What became of it: an account, or nothing, because somebody else holds this. */
export type MadeAccount =
  | { readonly kind: 'made'; readonly connectionId: string | null }
  | { readonly kind: 'taken'; readonly path: Taken; readonly holder: string | null };

type Taken = 'email' | 'username' | 'phone' | 'identity';

/** What a sealed sign-up belongs to. */
const SEALED_FOR = 'sign-up';

/**
 * Makes an account of what somebody signs up with, whole or not at all. Where something is taken, the same is written
 * and taken back: the time of an answer must not tell which it was.
 * @param options `keep: false` takes it back in any case, where it is only to look like another way
 */
export async function makeAccount(
  unit: Pick<Unit, 'db' | 'now' | 'config' | 'cipher' | 'emit'>,
  account: NewAccount,
  { keep = true }: { readonly keep?: boolean } = {},
): Promise<MadeAccount> {
  const { db, now } = unit;
  const { id, name, email, phone, username, password, identity = null, roles = [], fields = {} } = account;
  await Promise.all([db.execute`SAVEPOINT account`, users.create(db, { id, name, roles, fields, now })]);
  const taken: Taken[] = [];
  if (username && !(await users.setUsername(db, id, username))) taken.push('username');
  if (email && !(await addEmail(unit, { ...account, email }))) taken.push('email');
  if (phone && !(await phones.add(db, id, phone, now))) taken.push('phone');
  if (password) await passwords.set(db, id, password, now);
  const vouches = isVerifiedBy(identity, email);
  const joined = identity && vouches ? await joinIdentity(unit, id, identity) : null;
  if (vouches && !joined) taken.push('identity');
  const [path] = taken;
  const holder = path === 'phone' || !email ? await phones.holderOf(db, phone) : await emails.holderOf(db, email);
  if (path || !keep) await db.execute`ROLLBACK TO SAVEPOINT account`;
  else await db.execute`RELEASE SAVEPOINT account`;
  if (!path) return { kind: 'made', connectionId: joined?.id ?? null };
  return { kind: 'taken', path, holder: path === 'email' || path === 'phone' ? holder : null };
}

/** Gives the account its address: verified, if somebody vouches for it, or a provider has seen the mailbox. */
async function addEmail(
  { db, now, config }: Pick<Unit, 'db' | 'now' | 'config'>,
  { id, email, identity = null, mailboxIsProven = false }: NewAccount & { readonly email: EmailAddress },
): Promise<boolean> {
  if (!mailboxIsProven && !isVerifiedBy(identity, email))
    return emails.addPrimary(db, id, email, now, { release: config.emailVerification !== 'NONE' });
  await emails.claim(db, id, email, now);
  return (await emails.verify(db, id, email, now)) === 'verified';
}

/** Whether the provider has seen just this mailbox. */
export function isVerifiedBy(identity: Identity | null, email: EmailAddress | null): boolean {
  return identity?.emailVerified === true && identity.email === email;
}

/** Tells that there is a new account, and what it came with. */
export function announceSignUp(
  unit: Pick<Unit, 'config' | 'emit'>,
  {
    id,
    email,
    identity = null,
    mailboxIsProven = false,
  }: Pick<NewAccount, 'id' | 'email' | 'identity' | 'mailboxIsProven'>,
  { connectionId }: Pick<Extract<MadeAccount, { kind: 'made' }>, 'connectionId'>,
): void {
  unit.emit({ kind: 'SignedUp', userId: id });
  if (email && (mailboxIsProven || isVerifiedBy(identity, email)))
    unit.emit({ kind: 'EmailVerified', userId: id, address: email });
  // One that joins later is told then.
  if (identity && connectionId) announceConnection(unit, id, connectionId, identity, { signingUp: true });
}

/** Seals what somebody signed up with, for a login that may have to make the account later. */
export function sealSignUp({ cipher }: Unit, account: NewAccount): string {
  return cipher.seal(JSON.stringify(account), SEALED_FOR);
}

/** Opens what {@link sealSignUp} has sealed; null if no secret of ours does. */
export function openSignUp({ cipher }: Pick<Unit, 'cipher'>, sealed: string): NewAccount | null {
  const opened = cipher.open(sealed, SEALED_FOR);
  return opened === null ? null : JSON.parse(opened);
}
