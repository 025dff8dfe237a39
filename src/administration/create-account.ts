import { randomUUID } from 'node:crypto';
import type { EmailAddress } from '../lib/email-address.ts';
import { linkWith } from '../lib/link-template.ts';
import type { Username } from '../lib/username.ts';
import { type MadeAccount, makeAccount } from '../login/account.ts';
import type { Account } from '../records/accounts.ts';
import * as accounts from '../records/accounts.ts';
import * as challenges from '../records/challenges.ts';
import type { PasswordHash } from '../records/passwords.ts';
import * as passwords from '../records/passwords.ts';
import { type Act, note } from './act.ts';

/** Somebody for whom an account is to be made. */
export interface NewUser {
  readonly email: EmailAddress;
  /** Whether the administrator knows that the mailbox is theirs. */
  readonly emailVerified: boolean;
  readonly username: { readonly username: Username; readonly key: string } | null;
  readonly name: string | null;
  readonly roles: readonly string[];
  /** Null: they choose it themselves, by a link. */
  readonly password: PasswordHash | null;
  /** Whether they have to choose another one at their first login, since somebody else knows this one. */
  readonly passwordIsInitial: boolean;
}

/** There is an account from now on. */
export interface UserCreated {
  readonly kind: 'UserCreated';
  readonly user: Account;
  /** Where its person chooses the password; null if there is one. Whoever has the link has the account. */
  readonly link: string | null;
}

/** Makes an account for somebody. Nobody is told of it here. */
export async function createAccount(
  act: Act,
  { emailVerified, roles, passwordIsInitial, ...person }: NewUser,
): Promise<UserCreated | Extract<MadeAccount, { kind: 'taken' }>> {
  const { db, emit, by } = act;
  const id = randomUUID();
  const made = await makeAccount(act, { ...person, id, phone: null, roles, mailboxIsProven: emailVerified });
  if (made.kind === 'taken') return made;
  if (person.password && passwordIsInitial) await passwords.requireReplacement(db, id, 'ADMINISTRATOR');
  emit({ kind: 'AccountCreated', userId: id, by });
  if (emailVerified) emit({ kind: 'EmailVerified', userId: id, address: person.email });
  if (roles.length > 0) emit({ kind: 'RolesChanged', userId: id, roles, by });
  note(act, 'CREATE_USER', id);
  const link = person.password ? null : await firstPasswordLink(act, id, person.email);
  const user = await accounts.find(db, id);
  if (!user) throw new Error('an account that was made a moment ago is gone');
  return { kind: 'UserCreated', user, link };
}

async function firstPasswordLink({ db, codeKeys, config, now }: Act, userId: string, email: EmailAddress) {
  const asked = { purpose: 'RESET_PASSWORD', userId, channel: 'EMAIL', destination: email } as const;
  const issued = await challenges.issue(db, codeKeys, asked, now, { linkLifetime: config.invitationLifetime });
  if (!issued?.secrets.link) throw new Error('a reset was made without a link');
  return linkWith(config.links.resetPassword, issued.secrets.link);
}
