import type { ForeignPasskey } from '../../lib/foreign-passkey.ts';
import { totpSecretOf } from '../../lib/totp.ts';
import type { ForeignConnection, ForeignPerson, ForeignTotp, Lost, Source } from '../person.ts';
import { nobodyYet } from '../person.ts';
import { jsonSource } from './file.ts';
import { base64url, list, milliseconds, object, parsed, text, truth, wholeName } from './values.ts';

/** Reads people of a Keycloak realm as `kc.sh export` writes them. */
export function readKeycloak(path: string): Source {
  return jsonSource(path, 'users', (user) => {
    const id = text(user.id) ?? text(user.username);
    if (id === null) return { refused: 'BROKEN', detail: 'id' };
    if (text(user.serviceAccountClientId)) return { refused: 'GONE', detail: 'service account' };
    const [address, username] = [text(user.email), text(user.username)];
    const credentials = list(user.credentials).map(object).map(credentialOf);
    const ofType = (...types: readonly unknown[]) => credentials.filter(({ type }) => types.includes(type));
    return {
      ...nobodyYet(id),
      name: wholeName(user.firstName, user.lastName),
      // Realms may take the address for it.
      username: username?.includes('@') ? null : username,
      emails: address === null ? [] : [{ address, verified: truth(user.emailVerified), primary: true }],
      phone: phoneOf(object(user.attributes)),
      password: ofType('password').map(passwordOf)[0] ?? null,
      mustReplacePassword: list(user.requiredActions).includes('UPDATE_PASSWORD'),
      totp: ofType('otp').filter(isTotp).map(totpOf),
      passkeys: ofType('webauthn', 'webauthn-passwordless').map((each) => passkeyOf(each, id)),
      connections: connectionsOf(user.federatedIdentities),
      disabled: user.enabled === false,
      createdAt: milliseconds(user.createdTimestamp),
      lost: [
        ...ofType('otp')
          .filter((each) => !isTotp(each))
          .map((): Lost => ({ code: 'TOTP_UNFIT', detail: 'HOTP' })),
        // Hashed, each by itself.
        ...ofType('recovery-authn-codes').map((): Lost => ({ code: 'RECOVERY_CODES_SEALED', detail: null })),
      ],
    } satisfies ForeignPerson;
  });
}

/** A credential, with what it keeps as JSON in a text. */
interface Credential {
  readonly type: unknown;
  readonly label: string | null;
  readonly data: Readonly<Record<string, unknown>>;
  readonly secret: Readonly<Record<string, unknown>>;
}

function credentialOf({ type, userLabel, credentialData, secretData }: Readonly<Record<string, unknown>>): Credential {
  return { type, label: text(userLabel), data: parsed(credentialData), secret: parsed(secretData) };
}

/** Bytes in base64, without padding. */
const unpadded = (value: unknown) => (text(value) ?? '').replace(/=+$/, '');

function passwordOf({ data, secret }: Credential): string {
  const algorithm = text(data.algorithm) ?? '';
  const [, digest = 'sha1'] = /^pbkdf2(?:-(sha256|sha512))?$/.exec(algorithm) ?? [];
  if (/^pbkdf2(?:-sha(?:256|512))?$/.test(algorithm))
    return `pbkdf2$${digest}$${text(data.hashIterations)}$${text(secret.salt)}$${text(secret.value)}`;
  if (algorithm !== 'argon2') return `${algorithm || 'unknown'}$`;
  const { type, memory, parallelism, version } = object(data.additionalParameters);
  const first = (value: unknown) => text(list(value)[0]) ?? '';
  const v = first(version) === '1.3' ? 19 : 16;
  const cost = `m=${first(memory)},t=${text(data.hashIterations)},p=${first(parallelism)}`;
  return `argon2$argon2${first(type)}$v=${v}$${cost}$${unpadded(secret.salt)}$${unpadded(secret.value)}`;
}

function isTotp({ data }: Credential): boolean {
  return (data.subType ?? 'totp') === 'totp';
}

const ALGORITHMS: Readonly<Record<string, 'sha1' | 'sha256' | 'sha512'>> = {
  HmacSHA1: 'sha1',
  HmacSHA256: 'sha256',
  HmacSHA512: 'sha512',
};

function totpOf({ data, secret }: Credential): ForeignTotp {
  const value = text(secret.value) ?? '';
  const algorithm = ALGORITHMS[text(data.algorithm) ?? 'HmacSHA1'] ?? 'sha1';
  return {
    // The text itself is the key, unless it says otherwise.
    secret: data.secretEncoding === 'BASE32' ? value : totpSecretOf(Buffer.from(value)),
    digits: Number(data.digits ?? 6),
    period: Number(data.period ?? 30),
    ...(algorithm === 'sha1' ? {} : { algorithm }),
  };
}

function passkeyOf({ type, label, data }: Credential, userId: string): ForeignPasskey {
  return {
    name: label,
    id: base64url(data.credentialId),
    publicKey: base64url(data.credentialPublicKey),
    counter: Number(data.counter ?? 0),
    transports: list(data.transports).map((each) => String(each).toLowerCase()),
    backupEligible: null,
    backedUp: false,
    userVerified: type === 'webauthn-passwordless' ? true : null,
    discoverable: type === 'webauthn-passwordless',
    aaguid: text(data.aaguid),
    rpIdHash: null,
    userHandle: Buffer.from(userId).toString('base64url'),
  };
}

function connectionsOf(identities: unknown): ForeignConnection[] {
  return list(identities)
    .map(object)
    .flatMap(({ identityProvider, userId, userName }) => {
      const [provider, subject] = [text(identityProvider), text(userId)];
      if (provider === null || subject === null) return [];
      return [{ provider, subject, displayName: text(userName), email: text(userName) }];
    });
}

function phoneOf(attributes: Readonly<Record<string, unknown>>): ForeignPerson['phone'] {
  const number = text(list(attributes.phoneNumber ?? attributes.phone_number)[0]);
  const verified = list(attributes.phoneNumberVerified ?? attributes.phone_number_verified)[0];
  return number === null ? null : { number, verified: truth(verified) };
}
