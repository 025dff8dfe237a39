import type { ForeignConnection, ForeignEmail, ForeignPerson, ForeignTotp, Lost, Source } from '../person.ts';
import { nobodyYet } from '../person.ts';
import { jsonSource } from './file.ts';
import { passwordForm } from './password-form.ts';
import { list, object, text, truth, wholeName } from './values.ts';

/** The strategy of Auth0's own accounts: no account elsewhere. */
const OWN = 'auth0';

/**
 * Reads people of Auth0: its export of password hashes (an object a line), that of its users, or a list as its import
 * takes it.
 */
export function readAuth0(path: string): Source {
  return jsonSource(path, null, personOf);
}

function personOf(user: Readonly<Record<string, unknown>>) {
  const own = text(user.alt_id) ?? text(object(user._id).$oid);
  const id = text(user.user_id) ?? text(user.id) ?? (own === null ? null : `${OWN}|${own}`) ?? text(user.email);
  if (id === null) return { refused: 'BROKEN', detail: 'user_id' } as const;
  const name = text(user.name) ?? wholeName(user.given_name, user.family_name);
  const factors = factorsOf(user.mfa_factors);
  return {
    ...nobodyYet(id),
    // Where somebody told no name, it is their address.
    name: name?.includes('@') ? null : name,
    username: text(user.username),
    emails: emailsOf(user),
    phone: phoneOf(user),
    password: passwordForm(
      text(user.passwordHash) ?? text(user.password_hash) ?? customHash(user.custom_password_hash),
    ),
    totp: factors.totp,
    connections: connectionsOf(user),
    disabled: truth(user.blocked),
    createdAt: object(user.created_at).$date ?? user.created_at,
    lastLoginAt: object(user.last_login).$date ?? user.last_login,
    lost: factors.lost,
  } satisfies ForeignPerson;
}

function emailsOf(user: Readonly<Record<string, unknown>>): ForeignEmail[] {
  const written = [
    user,
    ...list(user.identifiers)
      .map(object)
      .filter(({ type }) => type === 'email'),
  ];
  return written.flatMap((each, nth) => {
    const address = nth === 0 ? text(each.email) : text(each.value);
    const verified = nth === 0 ? each.email_verified : each.verified;
    return address === null ? [] : [{ address, verified: truth(verified), primary: nth === 0 }];
  });
}

function phoneOf(user: Readonly<Record<string, unknown>>): ForeignPerson['phone'] {
  const number = text(user.phone_number);
  return number === null ? null : { number, verified: truth(user.phone_verified) };
}

/** What Auth0 itself has taken from elsewhere: the forms that are told by themselves. */
function customHash(custom: unknown): string | null {
  const { algorithm, hash } = object(custom);
  const value = text(object(hash).value);
  if (value === null) return null;
  return algorithm === 'bcrypt' || algorithm === 'argon2' ? value : `${text(algorithm) ?? 'unknown'}$${value}`;
}

function connectionsOf(user: Readonly<Record<string, unknown>>): ForeignConnection[] {
  return list(user.identities)
    .map(object)
    .flatMap((identity) => {
      const [provider, subject] = [text(identity.provider), text(identity.user_id)];
      if (provider === null || subject === null || provider === OWN) return [];
      const profile = object(identity.profileData);
      // Of one that belongs to a company, the name of the connection tells it from others of its kind.
      const named = truth(identity.isSocial) ? provider : (text(identity.connection) ?? provider);
      return [
        { provider: named, subject, displayName: text(profile.name), email: text(profile.email) ?? text(user.email) },
      ];
    });
}

function factorsOf(written: unknown): { readonly totp: ForeignTotp[]; readonly lost: Lost[] } {
  const factors = list(written).map(object);
  const secrets = factors.map(({ totp }) => text(object(totp).secret)).filter((secret) => secret !== null);
  const unknown = factors.filter(({ totp }) => text(object(totp).secret) === null);
  return {
    totp: secrets.map((secret) => ({ secret, digits: 6, period: 30 })),
    lost: unknown.map((factor) => ({ code: 'FACTOR_UNKNOWN', detail: Object.keys(factor)[0]?.slice(0, 40) ?? null })),
  };
}
