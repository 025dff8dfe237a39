import type { ForeignConnection, ForeignPerson, Lost, Source } from '../person.ts';
import { nobodyYet } from '../person.ts';
import { jsonSource } from './file.ts';
import { list, milliseconds, object, text, truth } from './values.ts';

/** How a Firebase project hashes: what its console shows as the parameters of its password hashes. */
export interface FirebaseHashConfig {
  readonly signerKey: string;
  readonly saltSeparator: string;
  readonly rounds: number;
  readonly memoryCost: number;
}

/**
 * Reads the parameters as the console shows them, or as JSON.
 * @throws Error if one of them is missing
 */
export function parseHashConfig(written: string): FirebaseHashConfig {
  const value = (name: string) => {
    const [, found] = new RegExp(`\\b${name}"?\\s*[:=]\\s*"?([A-Za-z0-9+/=_-]+)`).exec(written) ?? [];
    if (found === undefined) throw new Error(`the parameters of the hashes have no ${name}`);
    return found;
  };
  return {
    signerKey: standard(value('base64_signer_key')),
    saltSeparator: standard(value('base64_salt_separator')),
    rounds: Number(value('rounds')),
    memoryCost: Number(value('mem_cost')),
  };
}

/** Reads people of Firebase Authentication as `firebase auth:export` writes them in JSON. */
export function readFirebase(path: string, hashConfig: FirebaseHashConfig | null): Source {
  return jsonSource(path, 'users', (user) => {
    const id = text(user.localId);
    if (id === null) return { refused: 'BROKEN', detail: 'localId' };
    const [address, number] = [text(user.email), text(user.phoneNumber)];
    const connections = connectionsOf(user);
    if (address === null && number === null && connections.length === 0)
      return { refused: 'GONE', detail: 'anonymous' };
    return {
      ...nobodyYet(id),
      name: text(user.displayName),
      emails: address === null ? [] : [{ address, verified: truth(user.emailVerified), primary: true }],
      // It has none that nobody answered a message at.
      phone: number === null ? null : { number, verified: true },
      password: passwordOf(user, hashConfig),
      connections,
      disabled: truth(user.disabled),
      createdAt: milliseconds(user.createdAt),
      lastLoginAt: milliseconds(user.lastSignedInAt ?? user.lastLoginAt),
      lost: factorsOf(user.mfaInfo),
    } satisfies ForeignPerson;
  });
}

function passwordOf(
  { passwordHash, salt }: Readonly<Record<string, unknown>>,
  config: FirebaseHashConfig | null,
): string | null {
  const [hash, salting] = [text(passwordHash), text(salt)];
  if (hash === null) return null;
  if (!config) return 'firebase_scrypt$';
  const parameters = `v=1,n=${config.memoryCost},r=${config.rounds},p=1,ss=${config.saltSeparator},sk=${config.signerKey}`;
  return `$fbscrypt$${parameters}$${standard(salting ?? '')}$${standard(hash)}`;
}

function connectionsOf(user: Readonly<Record<string, unknown>>): ForeignConnection[] {
  return list(user.providerUserInfo)
    .map(object)
    .flatMap((info) => {
      const [provider, subject] = [text(info.providerId), text(info.rawId)];
      if (provider === null || subject === null || provider === 'password' || provider === 'phone') return [];
      return [{ provider, subject, displayName: text(info.displayName), email: text(info.email) }];
    });
}

/** None of them is in the export: a number gets a message, and the secret of an app stays with Firebase. */
function factorsOf(mfaInfo: unknown): Lost[] {
  return list(mfaInfo).map((factor) => ({
    code: 'FACTOR_UNKNOWN',
    detail: 'phoneInfo' in object(factor) ? 'phone' : 'totp',
  }));
}

function standard(base64url: string): string {
  return base64url.replaceAll('-', '+').replaceAll('_', '/');
}
