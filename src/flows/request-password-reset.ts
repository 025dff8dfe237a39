import type { App } from '../app.ts';
import { sendCode } from '../login/codes.ts';
import * as users from '../records/users.ts';
import { type NamedPerson, readIdentifier } from './shared/identifier.ts';
import { limitMailRequests, transactMailRequest } from './shared/mail-request.ts';
import type { Caller, CodeSent, InvalidInput, RateLimited } from './shared/outcomes.ts';

export type RequestPasswordResetResult = CodeSent | InvalidInput | RateLimited;

/**
 * Sends a code and a link by which the password of an account can be set anew. Where there is no account, or a disabled
 * one, everything is the same, but nobody can answer.
 *
 * Those that were sent earlier are void once this one is sent. Where too many were asked for, nothing is sent, and the
 * last one stays good: a stranger must not be able to take it away.
 */
export async function requestPasswordReset(
  app: App,
  caller: Caller,
  { email, phone }: Omit<NamedPerson, 'username'>,
): Promise<RequestPasswordResetResult> {
  const identifier = readIdentifier(app, { email, phone }, 'recovery');
  if ('kind' in identifier) return identifier;
  const limited = await limitMailRequests(app, caller);
  if (limited) return limited;

  return transactMailRequest(app, caller, async (unit) => {
    const userId = await users.findByIdentifier(unit.db, identifier);
    const to = identifier.email
      ? ({ channel: 'EMAIL', destination: identifier.email } as const)
      : ({ channel: 'SMS', destination: identifier.phone ?? '' } as const);
    const sent = await sendCode(unit, { purpose: 'RESET_PASSWORD', userId, ...to }, { last: true });
    if (!sent) throw new Error('a challenge that belongs to no login was not made');
    const { codeExpiresAt, resendAt } = sent.challenge;
    return { kind: 'CodeSent', handle: sent.handle, expiresAt: codeExpiresAt, resendAvailableAt: resendAt };
  });
}
