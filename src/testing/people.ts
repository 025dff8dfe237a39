import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { generateSync } from 'otplib';
import type { App } from '../app.ts';
import { passkeyData, relyingParty } from '../factors/passkey.ts';
import { makeRecoveryCodes } from '../factors/recovery-code.ts';
import { totpData } from '../factors/totp.ts';
import { parseEmailAddress } from '../lib/email-address.ts';
import { parsePhoneNumber } from '../lib/phone-number.ts';
import { makeTotpSecret } from '../lib/totp.ts';
import { handleOf } from '../lib/user-handle.ts';
import { parseUsername } from '../lib/username.ts';
import { verifyRegistration } from '../lib/webauthn.ts';
import { makeAccount } from '../login/account.ts';
import * as authenticators from '../records/authenticators.ts';
import * as emails from '../records/emails.ts';
import type { PasswordHash } from '../records/passwords.ts';
import * as phones from '../records/phones.ts';
import * as connections from '../records/social-connections.ts';
import * as users from '../records/users.ts';
import { transact, type Unit } from '../unit.ts';
import { SoftwareAuthenticator, type VirtualAuthenticator } from './authenticator.ts';
import type { ProviderPerson } from './provider.ts';

/** Whom a test wants. Everything may be left out: it is somebody with an address, verified, and a password. */
export interface PersonOptions {
  /** One that nobody else has, if left out; null for nobody with an address. */
  readonly email?: string | null;
  readonly name?: string;
  readonly username?: string;
  /** Verified as the address is. */
  readonly phone?: string;
  /** Whether the address and the number are theirs for certain; they are, unless told. */
  readonly verified?: boolean;
  /** One that is made up, if left out; null for somebody who has none. It need not be a good one. */
  readonly password?: string | null;
  /** Whether they have an authenticator app. */
  readonly totp?: boolean;
  /** Whether they have a passkey, which can log in by itself. */
  readonly passkey?: boolean;
  /** Whether they have recovery codes. As Postern has it, who has another factor does, unless told. */
  readonly recoveryCodes?: boolean;
  /** The id of a provider at which they have an account. */
  readonly connected?: string;
  readonly roles?: readonly string[];
  /** Whether nobody may get in as them. */
  readonly disabled?: boolean;
}

/** An authenticator app. */
export interface AuthenticatorApp {
  readonly secret: string;
  /** What it shows now. Each code is good for one use: the next one is there after the clock has moved on by 30 seconds. */
  code(): string;
}

/** Somebody with an account at the gateway. */
export interface TestPerson {
  readonly id: string;
  readonly email: string | null;
  readonly username: string | null;
  readonly phone: string | null;
  readonly password: string | null;
  readonly totp: AuthenticatorApp | null;
  /** What holds their passkey. */
  readonly passkey: VirtualAuthenticator | null;
  /** None, for somebody who has none. */
  readonly recoveryCodes: readonly string[];
  /** Their account at the provider, ready for `provider.will`. */
  readonly connection: ProviderPerson | null;
}

/** The same, where what was asked for is known to be there. */
export type PersonWith<O extends PersonOptions> = TestPerson &
  (O extends { readonly email: null } ? unknown : { readonly email: string }) &
  (O extends { readonly password: null } ? unknown : { readonly password: string }) &
  (O extends { readonly totp: true } ? { readonly totp: AuthenticatorApp } : unknown) &
  (O extends { readonly passkey: true } ? { readonly passkey: VirtualAuthenticator } : unknown) &
  (O extends { readonly connected: string } ? { readonly connection: ProviderPerson } : unknown);

const NOBODYS_REQUEST = { ipAddress: '127.0.0.1', userAgent: null };

let people = 0;

/**
 * Makes an account as if its owner had long had it: no mail goes out, no event is told.
 * @throws Error for what the gateway would not take: an address that is none or is taken, a provider that it does not know
 */
export async function makePerson(app: App, options: PersonOptions): Promise<TestPerson> {
  people += 1;
  const { verified = true, totp = false, passkey = false, recoveryCodes = totp || passkey } = options;
  const {
    email = `ada.${randomBytes(4).toString('hex')}.${people}@example.com`,
    roles = [],
    disabled = false,
  } = options;
  const { password = `a tall ladder in the library, number ${people}` } = options;
  const id = randomUUID();
  const names = namesOf({ ...options, email });
  const hash = password === null ? null : await hashOf(app, password);

  return transact(app, NOBODYS_REQUEST, async (unit): Promise<TestPerson> => {
    const { db, now } = unit;
    const made = await makeAccount(unit, { id, name: options.name ?? null, ...names, password: hash });
    if (made.kind === 'taken') throw new Error(`the ${made.path} of this person is taken`);
    if (verified && names.email) await emails.verify(db, id, names.email, now);
    if (verified && names.phone) await phones.verify(db, id, names.phone, now);
    const person: TestPerson = {
      id,
      email: names.email,
      username: names.username?.username ?? null,
      phone: names.phone,
      password,
      totp: totp ? await addApp(app, unit, id) : null,
      passkey: passkey ? await addPasskey(unit, id) : null,
      recoveryCodes: recoveryCodes ? await addRecoveryCodes(unit, id) : [],
      connection:
        options.connected === undefined ? null : await connect(unit, id, options.connected, options, names.email),
    };
    if (roles.length > 0) await users.setRoles(db, id, roles);
    if (disabled) await users.setDisabled(db, id, now);
    return person;
  });
}

/** Reads what somebody is called, as the gateway does. */
function namesOf({ email, username, phone }: Pick<PersonOptions, 'email' | 'username' | 'phone'>) {
  const address = email ? parseEmailAddress(email) : null;
  if (email && address === null) throw new Error(`${email} is not an address`);
  const number = phone === undefined ? null : parsePhoneNumber(phone);
  if (phone !== undefined && number === null) throw new Error(`${phone} is not a telephone number`);
  const called = username === undefined ? null : parseUsername(username);
  if (typeof called === 'string') throw new Error(`${username} is not a user name: ${called}`);
  return { email: address, phone: number, username: called };
}

async function hashOf({ passwords }: App, password: string): Promise<PasswordHash> {
  for (;;) {
    const slot = passwords.reserve();
    // Of a crowd that is made at once, some wait.
    if (!slot) await pause(5);
    else return slot.hash(password).finally(slot.release);
  }
}

async function addApp({ clock, config }: App, { db, cipher, now }: Unit, userId: string): Promise<AuthenticatorApp> {
  const { period, digits } = config.mfa.totp;
  const secret = makeTotpSecret();
  const data = totpData(cipher, userId, { secret, period, digits, lastStep: 0 });
  await authenticators.add(db, { userId, kind: 'TOTP', data }, now);
  const code = () => generateSync({ secret, period, digits, epoch: Math.floor(clock().getTime() / 1_000) });
  return { secret, code };
}

async function addPasskey({ db, config, now }: Unit, userId: string): Promise<VirtualAuthenticator> {
  const authenticator = createAuthenticator({ config });
  const challenge = randomBytes(32);
  const party = relyingParty(config);
  const response = authenticator.create({
    challenge: challenge.toString('base64url'),
    rp: { id: party.id },
    user: { id: handleOf(userId).toString('base64url') },
  });
  const credential = await verifyRegistration(party, response, { challenge, passwordless: true });
  if (!credential) throw new Error('the gateway does not take its own passkey');
  const data = passkeyData(credential);
  await authenticators.add(db, { userId, kind: 'PASSKEY', name: 'Passkey', credentialId: credential.id, data }, now);
  return authenticator;
}

/** An authenticator without passkeys, in a browser on a page of the gateway's. */
export function createAuthenticator({ config }: Pick<App, 'config'>): VirtualAuthenticator {
  const [origin = config.frontendUrl] = config.passkeys.origins;
  return new SoftwareAuthenticator({ origin });
}

async function addRecoveryCodes({ db, config, now }: Unit, userId: string): Promise<readonly string[]> {
  const { codes, data } = makeRecoveryCodes(config.mfa.recoveryCodes, userId);
  await authenticators.add(db, { userId, kind: 'RECOVERY_CODE', data }, now);
  return codes;
}

async function connect(
  { db, config, now }: Unit,
  userId: string,
  id: string,
  { name, verified = true }: Pick<PersonOptions, 'name' | 'verified'>,
  email: string | null,
): Promise<ProviderPerson> {
  const provider = config.social.providers.find((each) => each.id === id);
  if (!provider) throw new Error(`there is no provider ${id}`);
  const { protocol } = provider;
  const issuer =
    protocol.kind === 'oidc' ? protocol.issuer : (protocol.issuer ?? new URL(protocol.tokenEndpoint).origin);
  const sub = `sub-${userId}`;
  await connections.add(
    db,
    userId,
    { provider: id, issuer, subject: sub },
    { displayName: name ?? email ?? sub, email },
    now,
  );
  return {
    sub,
    ...(email === null ? {} : { email, email_verified: verified }),
    ...(name === undefined ? {} : { name }),
  };
}
