import type { Config } from '../config.ts';
import { handleOf } from '../lib/user-handle.ts';
import {
  authenticationOptions,
  credentialIdOf,
  type PasskeyCredential,
  type RelyingParty,
  verifyAssertion,
} from '../lib/webauthn.ts';
import type { Authenticator, AuthenticatorData } from '../records/authenticators.ts';
import type { Factor } from './factor.ts';

/** What is kept of a passkey beside its id. */
type PasskeyData = Omit<PasskeyCredential, 'id'>;

/** What is kept of a passkey that was registered. */
export function passkeyData({ id: _id, ...data }: PasskeyCredential): AuthenticatorData {
  return data satisfies PasskeyData;
}

/** Who we are to authenticators. */
export function relyingParty({ passkeys, mail }: Config): RelyingParty {
  return { id: passkeys.rpId, name: mail.product, origins: passkeys.origins };
}

/** A passkey as it was registered, and as it was last seen. */
export function credentialOf({ credentialId, data }: Authenticator): PasskeyCredential {
  return { ...(data as unknown as PasskeyData), id: credentialId ?? '' };
}

/**
 * Whether a passkey can log in by itself: it was made with its user verified, so that a use of it is two factors, and is
 * found without being named.
 */
export function isPasswordless(authenticator: Authenticator): boolean {
  const { userVerified, discoverable } = credentialOf(authenticator);
  return userVerified && discoverable;
}

/** Options for `navigator.credentials.get`, for one of these passkeys. */
export function passkeyOptions(
  config: Config,
  held: readonly Authenticator[],
  { challenge, verifiesUser }: { readonly challenge: Buffer; readonly verifiesUser: boolean },
): Promise<object> {
  const userVerification = verifiesUser ? 'required' : 'preferred';
  return authenticationOptions(relyingParty(config), {
    challenge,
    credentials: held.map(credentialOf),
    userVerification,
  });
}

/** A passkey (WebAuthn): its signature over a challenge that was made for this one question. */
export const passkey: Factor = {
  answer: 'RESPONSE',
  type: 'Passkey',
  asked: true,
  guessable: false,
  async check(answer, held, { userId, challenge, verifiesUser, identifies = false }, { config, emit }) {
    const authenticator = held.find((each) => each.credentialId === credentialIdOf(answer));
    if (!authenticator || !challenge) return null;
    const credential = credentialOf(authenticator);
    // One that was made without verifying its user proves no more than that it is there, whatever it says later.
    if (verifiesUser && !credential.userVerified) return null;
    const assertion = await verifyAssertion(relyingParty(config), answer, {
      challenge,
      credential,
      userHandle: credential.userHandle === undefined ? handleOf(userId).toString('base64url') : credential.userHandle,
      identifies,
      userVerification: verifiesUser ? 'required' : 'preferred',
    });
    // WebAuthn Level 3 §7.2, step 18: what may be copied does not change.
    if (!assertion || assertion.backupEligible !== (credential.backupEligible ?? assertion.backupEligible)) return null;
    const { counter, backedUp, backupEligible } = assertion;
    if ((counter > 0 || credential.counter > 0) && counter <= credential.counter) {
      emit({ kind: 'PasskeyCounterRegressed', userId, authenticatorId: authenticator.id });
      return null;
    }
    const verifiedUser = assertion.userVerified && credential.userVerified;
    // What another system did not keep is known from the first use on.
    const learned = credential.userHandle === null ? { userHandle: assertion.userHandle } : {};
    const data = { ...authenticator.data, counter, backupEligible, backedUp, ...learned };
    return { authenticator, data, verifiedUser };
  },
};
