import { createPublicKey, type JsonWebKey } from 'node:crypto';
import {
  type AuthenticationResponseJSON,
  type AuthenticatorTransport,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import {
  cose,
  decodeAttestationObject,
  decodeClientDataJSON,
  decodeCredentialPublicKey,
  isoBase64URL,
  isoCBOR,
} from '@simplewebauthn/server/helpers';

/** Who we are to authenticators. */
export interface RelyingParty {
  readonly id: string;
  readonly name: string;
  /** The pages that may ask for a passkey of ours, exactly. */
  readonly origins: readonly string[];
}

export type UserVerification = 'required' | 'preferred' | 'discouraged';

/** A passkey as it was registered. */
export interface PasskeyCredential {
  /** base64url. */
  readonly id: string;
  /** COSE, base64url. */
  readonly publicKey: string;
  readonly counter: number;
  readonly transports: readonly string[];
  /** Whether it may leave its device (WebAuthn Level 3 §6.1.3, BE). Never changes. Null: its first use tells. */
  readonly backupEligible: boolean | null;
  readonly backedUp: boolean;
  /** Whether the authenticator verified its user as the passkey was made. */
  readonly userVerified: boolean;
  /** Whether it can be found without being named. */
  readonly discoverable: boolean;
  /** The make of the authenticator. */
  readonly aaguid: string;
  /**
   * By which another system named its owner to it, base64url, where it came along from there; null where that system did
   * not keep it, until its first use tells. Left out for those that were registered here.
   */
  readonly userHandle?: string | null;
}

/** What an assertion that is right tells. */
export interface Assertion {
  readonly counter: number;
  readonly backupEligible: boolean;
  readonly backedUp: boolean;
  readonly userVerified: boolean;
  /** By which it named its owner, base64url; null if it did not. */
  readonly userHandle: string | null;
}

/** WebAuthn Level 3 §4: a credential id has at most 1,023 bytes. */
export const MAX_CREDENTIAL_ID_BYTES = 1_023;
/** Time that a person has for a ceremony, as the browser is told. */
const TIMEOUT_MS = 300_000;

/** COSE algorithms that are taken (RFC 9053), each with the one kind of key, and the one curve, that belongs to it. */
const ALGORITHMS: ReadonlyMap<number, { readonly kty: number; readonly crv: number | null }> = new Map([
  [-8, { kty: cose.COSEKTY.OKP, crv: cose.COSECRV.ED25519 }],
  [-7, { kty: cose.COSEKTY.EC2, crv: cose.COSECRV.P256 }],
  [-257, { kty: cose.COSEKTY.RSA, crv: null }],
]);

/** Options for `navigator.credentials.create`. */
export async function registrationOptions(
  party: RelyingParty,
  options: {
    readonly challenge: Buffer;
    readonly user: { readonly handle: Buffer; readonly name: string; readonly displayName: string };
    /** Passkeys of theirs, so that an authenticator is not registered twice. */
    readonly existing: readonly Pick<PasskeyCredential, 'id' | 'transports'>[];
    /** Whether only a passkey will do that can log in by itself. */
    readonly passwordless: boolean;
  },
): Promise<object> {
  const { challenge, user, existing, passwordless } = options;
  return generateRegistrationOptions({
    rpID: party.id,
    rpName: party.name,
    userID: new Uint8Array(user.handle),
    userName: user.name,
    userDisplayName: user.displayName,
    challenge: new Uint8Array(challenge),
    timeout: TIMEOUT_MS,
    attestationType: 'none',
    excludeCredentials: existing.map(descriptorOf),
    authenticatorSelection: passwordless
      ? { residentKey: 'required', userVerification: 'required' }
      : { residentKey: 'preferred', userVerification: 'preferred' },
    supportedAlgorithmIDs: [...ALGORITHMS.keys()],
  });
}

/**
 * Checks a registration (WebAuthn Level 3 §7.1).
 * @param response as the browser gave it; anything at all
 * @returns null for whatever is not right about it
 */
export async function verifyRegistration(
  party: RelyingParty,
  response: unknown,
  expected: { readonly challenge: Buffer; readonly passwordless: boolean },
): Promise<PasskeyCredential | null> {
  try {
    const registration = withoutAttestation(response as RegistrationResponseJSON);
    if (isFramed(registration.response.clientDataJSON)) return null;
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: registration,
      expectedChallenge: isoBase64URL.fromBuffer(new Uint8Array(expected.challenge)),
      expectedOrigin: [...party.origins],
      expectedRPID: party.id,
      requireUserVerification: expected.passwordless,
      supportedAlgorithmIDs: [...ALGORITHMS.keys()],
    });
    if (!verified || !registrationInfo) return null;
    const { credential, userVerified, credentialDeviceType, credentialBackedUp, aaguid } = registrationInfo;
    const id = isoBase64URL.toBuffer(credential.id);
    if (id.length === 0 || id.length > MAX_CREDENTIAL_ID_BYTES || !isSound(credential.publicKey)) return null;
    const { rk }: { rk?: unknown } = registration.clientExtensionResults?.credProps ?? {};
    // Where the browser does not say: an authenticator that verifies its user keeps the passkey, as it was asked to.
    const discoverable = expected.passwordless || (typeof rk === 'boolean' ? rk : userVerified);
    return {
      id: credential.id,
      publicKey: isoBase64URL.fromBuffer(credential.publicKey),
      counter: credential.counter,
      transports: transportsOf(registration.response.transports),
      backupEligible: credentialDeviceType === 'multiDevice',
      backedUp: credentialBackedUp,
      userVerified,
      discoverable,
      aaguid,
    };
  } catch {
    return null;
  }
}

/**
 * Options for `navigator.credentials.get`.
 * @param credentials none: whichever the authenticator finds
 */
export async function authenticationOptions(
  party: RelyingParty,
  options: {
    readonly challenge: Buffer;
    readonly credentials: readonly Pick<PasskeyCredential, 'id' | 'transports'>[];
    readonly userVerification: UserVerification;
  },
): Promise<object> {
  const { challenge, credentials, userVerification } = options;
  return generateAuthenticationOptions({
    rpID: party.id,
    challenge: new Uint8Array(challenge),
    allowCredentials: credentials.map(descriptorOf),
    userVerification,
    timeout: TIMEOUT_MS,
  });
}

/**
 * Checks an assertion (WebAuthn Level 3 §7.2), all but its counter and what is stored of the passkey.
 * @param response as the browser gave it; anything at all
 * @returns null for whatever is not right about it
 */
export async function verifyAssertion(
  party: RelyingParty,
  response: unknown,
  expected: {
    readonly challenge: Buffer;
    readonly credential: Pick<PasskeyCredential, 'id' | 'publicKey'>;
    /** base64url. Null: it is not known what the authenticator was told; then the id of the passkey alone names its owner. */
    readonly userHandle: string | null;
    /** Whether nobody was named before, so that the response itself must say whose it is (§7.2, step 6). */
    readonly identifies: boolean;
    readonly userVerification: UserVerification;
  },
): Promise<Assertion | null> {
  const { credential, userHandle, identifies } = expected;
  try {
    const assertion = response as AuthenticationResponseJSON;
    if (assertion.id !== credential.id || isFramed(assertion.response.clientDataJSON)) return null;
    const publicKey = isoBase64URL.toBuffer(credential.publicKey);
    if (isEcdsa(publicKey) && !isDer(isoBase64URL.toBuffer(assertion.response.signature))) return null;
    const shown = assertion.response.userHandle || null;
    if (shown === null ? identifies : userHandle !== null && shown !== userHandle) return null;
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: assertion,
      expectedChallenge: isoBase64URL.fromBuffer(new Uint8Array(expected.challenge)),
      expectedOrigin: [...party.origins],
      expectedRPID: party.id,
      // The counter is compared where the stored one is known to be the latest.
      credential: { id: credential.id, publicKey, counter: 0 },
      requireUserVerification: expected.userVerification === 'required',
    });
    if (!verified) return null;
    const { newCounter, credentialDeviceType, credentialBackedUp, userVerified } = authenticationInfo;
    return {
      counter: newCounter,
      backupEligible: credentialDeviceType === 'multiDevice',
      backedUp: credentialBackedUp,
      userVerified,
      userHandle: shown,
    };
  } catch {
    return null;
  }
}

/** Whether a response was asked for by a page that may. For the operator: it decides nothing. */
export function isFromOwnPage({ origins }: RelyingParty, response: unknown): boolean {
  try {
    return origins.includes(
      decodeClientDataJSON((response as RegistrationResponseJSON).response.clientDataJSON).origin,
    );
  } catch {
    return false;
  }
}

/** The id of the passkey that a response comes from; null for anything that names none. */
export function credentialIdOf(response: unknown): string | null {
  const { id } = (response ?? {}) as { id?: unknown };
  return typeof id === 'string' && id.length <= 2 * MAX_CREDENTIAL_ID_BYTES && isoBase64URL.isBase64URL(id) ? id : null;
}

function descriptorOf({ id, transports }: Pick<PasskeyCredential, 'id' | 'transports'>) {
  return { id, transports: transports as AuthenticatorTransport[] };
}

/**
 * None is asked for, and nothing is decided by it. What comes all the same is left out before it is looked at: checking
 * it would ask servers that the certificates name.
 */
function withoutAttestation(registration: RegistrationResponseJSON): RegistrationResponseJSON {
  const object = decodeAttestationObject(isoBase64URL.toBuffer(registration.response.attestationObject));
  if (object.get('fmt') === 'none') return registration;
  const bare = isoCBOR.encode(
    new Map<string, string | Map<string, string> | Uint8Array>([
      ['fmt', 'none'],
      ['attStmt', new Map<string, string>()],
      ['authData', object.get('authData')],
    ]),
  );
  return {
    ...registration,
    response: { ...registration.response, attestationObject: isoBase64URL.fromBuffer(bare) },
  };
}

/** Whether a page of somebody else had ours in a frame as the passkey was asked for. */
function isFramed(clientDataJSON: string): boolean {
  const { crossOrigin, topOrigin } = decodeClientDataJSON(clientDataJSON);
  return crossOrigin === true || topOrigin !== undefined;
}

/**
 * Whether a public key is one of its algorithm, and strong (NIST SP 800-57: 112 bits and more): one that was made up could
 * be a second factor that anybody, or nobody, can answer. ES256 means P-256 here (WebAuthn Level 3 §5.8.5), although
 * COSE would take the algorithm with another curve.
 */
export function isSound(publicKey: Uint8Array<ArrayBuffer>): boolean {
  const cosePublicKey = decodeCredentialPublicKey(publicKey) as Map<number, unknown>;
  const text = (label: number) => {
    const bytes = cosePublicKey.get(label);
    return bytes instanceof Uint8Array ? Buffer.from(bytes).toString('base64url') : '';
  };
  const { kty, alg, crv, x, y, n, e } = cose.COSEKEYS;
  const key = ALGORITHMS.get(Number(cosePublicKey.get(alg)));
  if (!key || cosePublicKey.get(kty) !== key.kty || (key.crv !== null && cosePublicKey.get(crv) !== key.crv))
    return false;
  const jwks: Readonly<Record<number, JsonWebKey>> = {
    [cose.COSEKTY.OKP]: { kty: 'OKP', crv: 'Ed25519', x: text(x) },
    [cose.COSEKTY.EC2]: { kty: 'EC', crv: 'P-256', x: text(x), y: text(y) },
    [cose.COSEKTY.RSA]: { kty: 'RSA', n: text(n), e: text(e) },
  };
  // Throws for a point that is not on its curve.
  const imported = createPublicKey({ key: jwks[key.kty] ?? {}, format: 'jwk' });
  const { modulusLength = 0, publicExponent = 0n } = imported.asymmetricKeyDetails ?? {};
  if (key.kty !== cose.COSEKTY.RSA) return true;
  return modulusLength >= 2_048 && modulusLength <= 8_192 && publicExponent >= 65_537n;
}

function isEcdsa(publicKey: Uint8Array<ArrayBuffer>): boolean {
  const key = decodeCredentialPublicKey(publicKey) as Map<number, unknown>;
  return key.get(cose.COSEKEYS.kty) === cose.COSEKTY.EC2;
}

/**
 * Whether bytes are an ECDSA signature in the one form that DER has for it (RFC 3279 §2.2.3). The library reads other forms
 * as well, so that a signature could be written anew without its key.
 */
function isDer(signature: Uint8Array): boolean {
  const [tag, length] = signature;
  if (tag !== 0x30 || length !== signature.length - 2) return false;
  const end = endOfInteger(signature, 2);
  return end !== null && endOfInteger(signature, end) === signature.length;
}

// Positive, and without a leading zero that is not needed.
function endOfInteger(bytes: Uint8Array, at: number): number | null {
  const [tag, length = 0, first = 0, second = 0] = bytes.subarray(at, at + 4);
  if (tag !== 0x02 || length < 1 || length > 33 || first >= 0x80) return null;
  return first === 0 && length > 1 && second < 0x80 ? null : at + 2 + length;
}

const TRANSPORTS: ReadonlySet<string> = new Set(['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb']);

export function transportsOf(said: unknown): string[] {
  return Array.isArray(said) ? said.filter((each): each is string => TRANSPORTS.has(each)) : [];
}
