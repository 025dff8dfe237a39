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
  const { secret, period, digits, lastStep } = app;
  return { sealedSecret: cipher.seal(secret, sealedFor(userId)), period, digits, lastStep } satisfies TotpData;
}

/** An authenticator app (RFC 6238). The code of the present time step or of the one before, each step once. */
export const totp: Factor = {
  answer: 'CODE',
  type: 'TotpAuthenticator',
  asked: true,
  async check(answer, held, { userId }, { cipher, now }) {
    for (const authenticator of held) {
      const data = authenticator.data as unknown as TotpData;
      const secret = cipher.open(data.sealedSecret, sealedFor(userId));
      if (secret === null) throw new Error('no secret that is configured opens the secret of an authenticator app');
      const step =
        typeof answer === 'string' ? matchTotp(answer, secret, data, { now, lastStep: data.lastStep }) : null;
      if (step !== null) return { authenticator, data: { ...data, lastStep: step } };
    }
    return null;
  },
};

function sealedFor(userId: string): string {
  return `totp ${userId}`;
}
