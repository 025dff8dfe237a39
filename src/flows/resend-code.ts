import type { App } from '../app.ts';
import { sendCodeAgain } from '../login/codes.ts';
import { limitMailRequests, transactMailRequest } from './shared/mail-request.ts';
import { type Caller, type CodeSent, type InvalidToken, type RateLimited, rateLimited } from './shared/outcomes.ts';
import { findAwaited } from './shared/proof.ts';

export type ResendCodeResult = CodeSent | InvalidToken | RateLimited;

/**
 * Sends the code once more that belongs to a handle or a login token. It is a new one; the tries that were spent on the
 * old one stay spent.
 */
export async function resendCode(
  app: App,
  caller: Caller,
  { handle }: { readonly handle: string },
): Promise<ResendCodeResult> {
  const limited = await limitMailRequests(app, caller);
  if (limited) return limited;
  const awaited = await findAwaited(app, handle);
  if ('kind' in awaited) return { kind: 'InvalidToken' };
  const pause = awaited.challenge.resendAt.getTime() - app.clock().getTime();
  if (pause > 0) return rateLimited(Math.ceil(pause / 1000));

  return transactMailRequest(app, caller, async (unit) => {
    const sent = await sendCodeAgain(unit, awaited.challenge, {
      afterPassword: awaited.login?.purpose === 'PASSWORD',
    });
    if (!sent) return { kind: 'InvalidToken' };
    const loginEnds = awaited.login?.expiresAt ?? sent.codeExpiresAt;
    return {
      kind: 'CodeSent',
      handle,
      expiresAt: loginEnds < sent.codeExpiresAt ? loginEnds : sent.codeExpiresAt,
      resendAvailableAt: sent.resendAt,
    };
  });
}
