import type { App } from '../../app.ts';
import { isPasswordless } from '../../factors/passkey.ts';
import { canLogIn } from '../../login/ways-in.ts';
import * as authenticators from '../../records/authenticators.ts';
import * as phones from '../../records/phones.ts';
import type { User } from '../../records/users.ts';
import type { Unit } from '../../unit.ts';
import { phonesAreOn, usernamesAreOn } from './identifier.ts';

/** What somebody is about to give up. */
export type GivenUp =
  | { readonly username: true }
  | { readonly phone: true }
  /** The id of an authenticator. */
  | { readonly authenticator: string };

/** Whether a person could still log in without this. */
export async function canGoWithout(app: App, { db, config }: Unit, user: User, given: GivenUp): Promise<boolean> {
  const [phone, held] = await Promise.all([phones.find(db, user.id), authenticators.list(db, user.id)]);
  const kept = held.filter(({ id }) => !('authenticator' in given && given.authenticator === id));
  return canLogIn(
    {
      email: user.email,
      username: 'username' in given ? null : user.username,
      phone: 'phone' in given ? null : (phone?.number ?? null),
      hasPassword: user.hasPassword,
      passkey: kept.some((each) => each.kind === 'PASSKEY' && isPasswordless(each)),
    },
    { usernames: usernamesAreOn(app), phones: phonesAreOn(app), codeAfterPassword: config.loginCodeRequired },
  );
}
