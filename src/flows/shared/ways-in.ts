import type { App } from '../../app.ts';
import { isPasswordless } from '../../factors/passkey.ts';
import { canLogIn } from '../../login/ways-in.ts';
import * as authenticators from '../../records/authenticators.ts';
import * as phones from '../../records/phones.ts';
import * as connections from '../../records/social-connections.ts';
import type { User } from '../../records/users.ts';
import type { Unit } from '../../unit.ts';
import { phonesAreOn, usernamesAreOn } from './identifier.ts';

/** What somebody is about to give up. */
export type GivenUp =
  | { readonly username: true }
  | { readonly phone: true }
  /** The id of an authenticator. */
  | { readonly authenticator: string }
  /** The id of a connection. */
  | { readonly connection: string };

/** Whether a person could still log in without this. */
export async function canGoWithout(app: App, { db, config }: Unit, user: User, given: GivenUp): Promise<boolean> {
  const [phone, held, connected] = await Promise.all([
    phones.find(db, user.id),
    authenticators.list(db, user.id),
    connections.list(db, user.id),
  ]);
  const kept = held.filter(({ id }) => !('authenticator' in given && given.authenticator === id));
  return canLogIn(
    {
      email: user.email,
      emailVerified: user.emailVerified,
      username: 'username' in given ? null : user.username,
      phone: 'phone' in given ? null : (phone?.number ?? null),
      hasPassword: user.hasPassword,
      passkey: kept.some((each) => each.kind === 'PASSKEY' && isPasswordless(each)),
      connection: connected.some(
        ({ id, provider }) =>
          !('connection' in given && given.connection === id) &&
          // One that is switched off lets nobody in.
          config.social.providers.some((each) => each.id === provider),
      ),
    },
    {
      usernames: usernamesAreOn(app),
      phones: phonesAreOn(app),
      codes: config.loginCodes,
      codeAfterPassword: config.loginCodeRequired,
    },
  );
}
