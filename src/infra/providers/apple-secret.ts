import { importPKCS8, SignJWT } from 'jose';
import type { ClientAuth } from 'openid-client';

/** Seconds: it is made for one use. Apple takes half a year. */
const LIFETIME = 300;
const AUDIENCE = 'https://appleid.apple.com';

/**
 * Authenticates with a secret that is signed anew for each request (Sign in with Apple, "Creating a client secret").
 * @param key `privateKey` in PEM, PKCS#8, for ES256
 */
export function appleClientSecret({
  teamId,
  keyId,
  privateKey,
}: {
  readonly teamId: string;
  readonly keyId: string;
  readonly privateKey: string;
}): ClientAuth {
  let key: ReturnType<typeof importPKCS8> | undefined;
  return async (_server, { client_id: clientId }, body) => {
    key ??= importPKCS8(privateKey, 'ES256');
    const now = Math.floor(Date.now() / 1_000);
    const secret = await new SignJWT()
      .setProtectedHeader({ alg: 'ES256', kid: keyId })
      .setIssuer(teamId)
      .setSubject(clientId)
      .setAudience(AUDIENCE)
      .setIssuedAt(now)
      .setExpirationTime(now + LIFETIME)
      .sign(await key);
    body.set('client_id', clientId);
    body.set('client_secret', secret);
  };
}
