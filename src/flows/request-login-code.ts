import type { App } from '../app.ts';
import { beginLogin } from '../login/pipeline.ts';
import type { LoginPrompt } from '../login/stages/index.ts';
import * as passwords from '../records/passwords.ts';
import type { CredentialKind } from '../records/sessions.ts';
import * as users from '../records/users.ts';
import { type NamedPerson, readIdentifier } from './shared/identifier.ts';
import { limitMailRequests, transactMailRequest } from './shared/mail-request.ts';
import { type Caller, type InvalidInput, invalidInput, loginContext, type RateLimited } from './shared/outcomes.ts';

export interface RequestLoginCodeInput extends Omit<NamedPerson, 'username'> {
  readonly credential: CredentialKind;
}

type LoginCodeRequired = Extract<LoginPrompt, { kind: 'LoginCodeRequired' }>;
export type RequestLoginCodeResult = LoginCodeRequired | InvalidInput | RateLimited;

/**
 * Begins a login that a code or a link proves. For an address or a number without an account, or with one that was
 * disabled, it looks the same and can never be finished.
 */
export async function requestLoginCode(
  app: App,
  caller: Caller,
  { email, phone, credential }: RequestLoginCodeInput,
): Promise<RequestLoginCodeResult> {
  const identifier = readIdentifier(app, { email, phone }, 'login');
  if ('kind' in identifier) return identifier;
  if (!app.config.loginCodes)
    return invalidInput({ path: [identifier.email ? 'email' : 'phone'], code: 'NOT_ALLOWED' });
  const limited = await limitMailRequests(app, caller);
  if (limited) return limited;

  return transactMailRequest(app, caller, async (unit) => {
    const userId = await users.findByIdentifier(unit.db, identifier);
    const passwordChangedAt = await passwords.changedAt(unit.db, userId ?? users.NOBODY);
    const step = await beginLogin(unit, loginContext(app, caller), {
      purpose: 'CODE',
      userId,
      credential,
      methods: [],
      passwordChangedAt,
      email: identifier.email,
      phone: identifier.phone,
    });
    if (step?.kind !== 'LoginCodeRequired') throw new Error('a login by code asked for something before the code');
    return step;
  });
}
