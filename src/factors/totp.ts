import type { Cipher } from '../lib/cipher.ts';
import { matchTotp, type TotpParameters } from '../lib/totp.ts';
import type { AuthenticatorData } from '../records/authenticators.ts';
import type { Factor } from './factor.ts';

/** What is kept of an authenticator app. */
interface TotpData extends TotpParameters {
  readonly sealedSecret: string;
  /** The time step of the last code that was used: neither it nor an earlier one is taken again (RFC 6238 §5.2). */
  readonly lastStep: number;
}

/** What is kept of an app that has shown its first code. Its parameters are those that it was given. */
export function totpData(
  cipher: Cipher,
  userId: string,
  app: TotpParameters & { readonly secret: string; readonly lastStep: number },
): AuthenticatorData {
  const { secret, ...others } = app;
  return { sealedSecret: cipher.seal(secret, sealedFor(userId)), ...others } satisfies TotpData;
}

/** An authenticator app (RFC 6238). The code of the present time step or of the one before, each step once. */
export const totp: Factor = {
  answer: 'CODE',
  type: 'TotpAuthenticator',
  asked: true,
  guessable: true,
  async check(answer, held, { userId }, { cipher, now }) {
    for (const authenticator of held) {
      const data = authenticator.data as unknown as TotpData;
      const secret = cipher.open(data.sealedSecret, sealedFor(userId));
      // No secret that is configured opens it: the app is of no use until the operator puts the old one back.
      if (secret === null || typeof answer !== 'string') continue;
      const step = matchTotp(answer, secret, data, { now, lastStep: data.lastStep });
      if (step !== null) return { authenticator, data: { ...data, lastStep: step } };
    }
    return null;
  },
};

/**
 * Seals what is kept of an app with the secret of now.
 * @returns null if it is sealed so already; `unopened` if no secret that is configured opens it
 */
export function resealTotp(
  cipher: Cipher,
  { userId, data }: { readonly userId: string; readonly data: AuthenticatorData },
): AuthenticatorData | 'unopened' | null {
  const { sealedSecret, ...others } = data as unknown as TotpData;
  if (cipher.isCurrent(sealedSecret)) return null;
  const secret = cipher.open(sealedSecret, sealedFor(userId));
  return secret === null ? 'unopened' : { ...others, sealedSecret: cipher.seal(secret, sealedFor(userId)) };
}

function sealedFor(userId: string): string {
  return `totp ${userId}`;
}
