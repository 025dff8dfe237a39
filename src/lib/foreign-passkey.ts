import { createHash } from 'node:crypto';
import {
  convertAAGUIDToString,
  decodeAttestationObject,
  isoBase64URL,
  parseAuthenticatorData,
} from '@simplewebauthn/server/helpers';
import { isSound, MAX_CREDENTIAL_ID_BYTES, type PasskeyCredential, transportsOf } from './webauthn.ts';

/** A passkey that was registered with another system, as far as that system kept it. */
export interface ForeignPasskey {
  readonly name: string | null;
  /** base64url. */
  readonly id: string;
  /** COSE, base64url. */
  readonly publicKey: string;
  /** The last one that was seen; 0 where only that of the registration was kept. */
  readonly counter: number;
  readonly transports: unknown;
  /** Null where that was not kept. */
  readonly backupEligible: boolean | null;
  readonly backedUp: boolean;
  /** Whether it verified its user as it was made; null where that was not kept. */
  readonly userVerified: boolean | null;
  readonly discoverable: boolean;
  readonly aaguid: string | null;
  /** SHA-256 of the RP ID, where it was kept. */
  readonly rpIdHash: Buffer | null;
  /** base64url; null where it was not kept. */
  readonly userHandle: string | null;
}

/** What the attestation object of a registration says (WebAuthn Level 3 §6.5). */
type Attested = Pick<
  ForeignPasskey,
  'id' | 'publicKey' | 'backupEligible' | 'backedUp' | 'userVerified' | 'aaguid' | 'rpIdHash'
>;

/** Reads the attestation object of a registration, base64url. Null for anything else. */
export function readAttestation(attestationObject: string): Attested | null {
  try {
    const authData = decodeAttestationObject(isoBase64URL.toBuffer(attestationObject)).get('authData');
    const { rpIdHash, flags, credentialID, credentialPublicKey, aaguid } = parseAuthenticatorData(authData);
    if (!credentialID || !credentialPublicKey) return null;
    return {
      id: isoBase64URL.fromBuffer(credentialID),
      publicKey: isoBase64URL.fromBuffer(credentialPublicKey),
      backupEligible: flags.be,
      backedUp: flags.bs,
      userVerified: flags.uv,
      aaguid: aaguid ? convertAAGUIDToString(aaguid) : null,
      rpIdHash: Buffer.from(rpIdHash),
    };
  } catch {
    return null;
  }
}

/** The make of an authenticator that does not say (WebAuthn Level 3 §6.5.1). */
const NO_AAGUID = '00000000-0000-0000-0000-000000000000';

/**
 * A passkey of another system as one of ours.
 * @param rpId of ours: a passkey answers to no other
 * @returns what keeps it from being one
 */
export function adoptPasskey(foreign: ForeignPasskey, rpId: string): PasskeyCredential | 'OTHER_RP_ID' | 'UNFIT' {
  const { id, publicKey, counter, transports, backupEligible, backedUp, discoverable, aaguid, userHandle } = foreign;
  if (foreign.rpIdHash && !foreign.rpIdHash.equals(createHash('sha256').update(rpId).digest())) return 'OTHER_RP_ID';
  if (!isFitId(id) || !isFitKey(publicKey) || !Number.isSafeInteger(counter) || counter < 0) return 'UNFIT';
  return {
    id,
    publicKey,
    counter,
    transports: transportsOf(transports),
    backupEligible,
    backedUp,
    // Where it was not kept: what is synchronized lives where its user is verified; a stick may have had no PIN, and
    // whoever finds it could give it one.
    userVerified: foreign.userVerified ?? backupEligible ?? false,
    discoverable,
    aaguid: aaguid ?? NO_AAGUID,
    userHandle,
  };
}

function isFitId(id: string): boolean {
  const bytes = Buffer.from(id, 'base64url');
  return bytes.length > 0 && bytes.length <= MAX_CREDENTIAL_ID_BYTES && bytes.toString('base64url') === id;
}

function isFitKey(publicKey: string): boolean {
  try {
    return isSound(isoBase64URL.toBuffer(publicKey));
  } catch {
    return false;
  }
}
