import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
  randomBytes,
  sign,
} from 'node:crypto';
import { cbor } from './cbor.ts';

/** Signature algorithms, by their COSE numbers. */
export const ALGORITHMS = { ES256: -7, EdDSA: -8, RS256: -257 } as const;
export type Algorithm = keyof typeof ALGORITHMS;

/** What `navigator.credentials.create` is given. */
export interface CreationOptions {
  readonly challenge: string;
  readonly rp: { readonly id: string };
  readonly user: { readonly id: string };
  readonly authenticatorSelection?: { readonly residentKey?: string; readonly userVerification?: string };
  readonly excludeCredentials?: readonly { readonly id: string }[];
}

/** What `navigator.credentials.get` is given. */
export interface RequestOptions {
  readonly challenge: string;
  readonly rpId: string;
  readonly allowCredentials?: readonly { readonly id: string }[];
  readonly userVerification?: string;
}

/** A WebAuthn authenticator and the browser before it, in software: it keeps passkeys, and answers for their owner. */
export interface VirtualAuthenticator {
  /** What a browser returns from `navigator.credentials.create` for these options, as JSON. */
  create(options: unknown): Readonly<Record<string, unknown>>;
  /** What a browser returns from `navigator.credentials.get` for these options, as JSON. */
  get(options: unknown): Readonly<Record<string, unknown>>;
}

/** How a ceremony differs from one of an honest browser with an honest authenticator. */
export interface Twist {
  readonly origin?: string;
  readonly type?: string;
  readonly challenge?: string;
  readonly rpId?: string;
  readonly crossOrigin?: boolean;
  readonly topOrigin?: string;
  readonly userPresent?: boolean;
  readonly userVerified?: boolean;
  readonly backupEligible?: boolean;
  readonly backedUp?: boolean;
  /** The count that is signed, in the place of the next one. */
  readonly counter?: number;
  readonly userHandle?: string | null;
  /** The id that is told, in the place of the credential's. */
  readonly id?: string;
  readonly fmt?: string;
}

interface Credential {
  readonly id: string;
  readonly rpId: string;
  readonly userHandle: string;
  readonly algorithm: Algorithm;
  readonly keys: KeyPairKeyObjectResult;
  counter: number;
}

export interface AuthenticatorOptions {
  readonly origin?: string;
  readonly algorithm?: Algorithm;
  /** Whether it can verify its user, as with a finger or a PIN. */
  readonly verifiesUser?: boolean;
  /** Whether its passkeys are copied to other devices. */
  readonly synced?: boolean;
  /** Whether it counts its signatures; those that sync do not. */
  readonly counts?: boolean;
}

/** A public key as COSE writes it, before it is CBOR. */
export type CoseKey = ReadonlyMap<unknown, unknown>;

type Json = Record<string, unknown>;

/**
 * A WebAuthn authenticator and the browser before it, in software: real keys, real CBOR, real signatures. Honest, but
 * for what a test twists.
 */
export class SoftwareAuthenticator implements VirtualAuthenticator {
  readonly credentials: Credential[] = [];
  private readonly options: Required<AuthenticatorOptions>;

  constructor(options: AuthenticatorOptions = {}) {
    const { synced = false, counts = !synced } = options;
    this.options = {
      origin: 'http://localhost:4000',
      algorithm: 'ES256',
      verifiesUser: true,
      ...options,
      synced,
      counts,
    };
  }

  /** What a browser returns from `navigator.credentials.create`, as JSON. */
  create(
    given: unknown,
    twist: Twist & { readonly curve?: string; readonly key?: CoseKey; readonly rk?: unknown } = {},
  ): Json {
    const options = given as CreationOptions;
    const { algorithm } = this.options;
    const credential: Credential = {
      id: twist.id ?? randomBytes(32).toString('base64url'),
      rpId: options.rp.id,
      userHandle: options.user.id,
      algorithm,
      keys: makeKeys(algorithm, twist.curve),
      counter: 0,
    };
    this.credentials.push(credential);
    const id = Buffer.from(credential.id, 'base64url');
    const length = Buffer.alloc(2);
    length.writeUInt16BE(id.length);
    const attested = Buffer.concat([Buffer.alloc(16), length, id, cbor(twist.key ?? coseKey(credential))]);
    const authData = Buffer.concat([this.authenticatorData(credential, twist, 0x40), attested]);
    const clientDataJSON = this.clientData('webauthn.create', options.challenge, twist);
    const attestationObject = cbor(
      new Map<unknown, unknown>([
        ['fmt', twist.fmt ?? 'none'],
        ['attStmt', new Map()],
        ['authData', authData],
      ]),
    );
    return {
      id: credential.id,
      rawId: credential.id,
      type: 'public-key',
      authenticatorAttachment: 'platform',
      clientExtensionResults: {
        credProps: { rk: 'rk' in twist ? twist.rk : options.authenticatorSelection?.residentKey !== 'discouraged' },
      },
      response: {
        clientDataJSON,
        attestationObject: attestationObject.toString('base64url'),
        transports: ['internal', 'hybrid'],
      },
    };
  }

  /** What a browser returns from `navigator.credentials.get`, as JSON. */
  get(given: unknown, twist: Twist & { readonly flip?: number } = {}): Json {
    const options = given as RequestOptions;
    const allowed = options.allowCredentials?.map(({ id }) => id) ?? [];
    const fits = ({ id, rpId }: Credential) => rpId === options.rpId && (allowed.length === 0 || allowed.includes(id));
    const credential = this.credentials.find(fits) ?? this.credentials[0];
    if (!credential) throw new Error('this authenticator has no passkey');
    if (this.options.counts) credential.counter += 1;
    const authData = this.authenticatorData(credential, twist, 0);
    const clientDataJSON = this.clientData('webauthn.get', options.challenge, twist);
    const signed = Buffer.concat([authData, sha256(Buffer.from(clientDataJSON, 'base64url'))]);
    const signature = signWith(credential, signed);
    if (twist.flip !== undefined) {
      const at = twist.flip % signature.length;
      signature[at] = (signature[at] ?? 0) ^ 1;
    }
    const id = twist.id ?? credential.id;
    return {
      id,
      rawId: id,
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON,
        authenticatorData: authData.toString('base64url'),
        signature: signature.toString('base64url'),
        userHandle: twist.userHandle === undefined ? credential.userHandle : twist.userHandle,
      },
    };
  }

  private authenticatorData(credential: Credential, twist: Twist, more: number): Buffer {
    const { verifiesUser, synced } = this.options;
    const flags =
      ((twist.userPresent ?? true) ? 0x01 : 0) |
      ((twist.userVerified ?? verifiesUser) ? 0x04 : 0) |
      ((twist.backupEligible ?? synced) ? 0x08 : 0) |
      ((twist.backedUp ?? synced) ? 0x10 : 0) |
      more;
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(twist.counter ?? credential.counter);
    return Buffer.concat([sha256(Buffer.from(twist.rpId ?? credential.rpId)), Buffer.from([flags]), counter]);
  }

  private clientData(type: string, challenge: string, twist: Twist): string {
    const data = {
      type: twist.type ?? type,
      challenge: twist.challenge ?? challenge,
      origin: twist.origin ?? this.options.origin,
      crossOrigin: twist.crossOrigin ?? false,
      ...(twist.topOrigin === undefined ? {} : { topOrigin: twist.topOrigin }),
    };
    return Buffer.from(JSON.stringify(data)).toString('base64url');
  }
}

function makeKeys(algorithm: Algorithm, curve = 'P-256'): KeyPairKeyObjectResult {
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: curve });
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

function signWith({ algorithm, keys }: Credential, data: Buffer): Buffer {
  return sign(algorithm === 'EdDSA' ? null : 'sha256', data, keys.privateKey as KeyObject);
}

const CURVES: Readonly<Record<string, number>> = { 'P-256': 1, 'P-384': 2, Ed25519: 6 };

/** RFC 9053: a public key as COSE writes it. */
function coseKey({ algorithm, keys }: Credential): Map<unknown, unknown> {
  const jwk = keys.publicKey.export({ format: 'jwk' });
  const bytes = (text: string | undefined) => Buffer.from(text ?? '', 'base64url');
  const alg = ALGORITHMS[algorithm];
  if (algorithm === 'RS256') {
    return new Map<unknown, unknown>([
      [1, 3],
      [3, alg],
      [-1, bytes(jwk.n)],
      [-2, bytes(jwk.e)],
    ]);
  }
  return new Map<unknown, unknown>([
    [1, algorithm === 'EdDSA' ? 1 : 2],
    [3, alg],
    [-1, CURVES[jwk.crv ?? '']],
    [-2, bytes(jwk.x)],
    ...(algorithm === 'ES256' ? ([[-3, bytes(jwk.y)]] as const) : []),
  ]);
}

function sha256(data: Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}

/**
 * Makes an authenticator for passkeys, with none yet, in a browser on a page of this origin.
 * @param origin such as `https://app.example.com`
 */
export function createVirtualAuthenticator({ origin }: { readonly origin: string }): VirtualAuthenticator {
  return new SoftwareAuthenticator({ origin });
}
