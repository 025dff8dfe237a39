import type { App } from '../app.ts';
import { beginLogin, type LoginStep } from '../login/pipeline.ts';
import type { CredentialKind } from '../records/sessions.ts';
import { transact } from '../unit.ts';
import { checkAccountPassword } from './shared/account-password.ts';
import { type NamedPerson, readIdentifier } from './shared/identifier.ts';
import {
  type Caller,
  type InvalidCredentials,
  type InvalidInput,
  invalidInput,
  loginContext,
  type RateLimited,
  rateLimited,
} from './shared/outcomes.ts';
import { BUSY_RETRY_SECONDS } from './shared/password.ts';

export interface LogInWithPasswordInput extends NamedPerson {
  readonly password: string;
  readonly credential: CredentialKind;
  /** For clients without cookies: by which their device is trusted. */
  readonly trustedDeviceToken?: string | null | undefined;
}

export type LogInWithPasswordResult = LoginStep | InvalidCredentials | InvalidInput | RateLimited;

/**
 * Logs somebody in who knows the password of an account. Whatever the reason for a refusal, it reads the same and took
 * the same work.
 */
export async function logInWithPassword(
  app: App,
  caller: Caller,
  input: LogInWithPasswordInput,
): Promise<LogInWithPasswordResult> {
  const identifier = readIdentifier(app, input, 'login');
  if ('kind' in identifier) return identifier;
  const trustedDeviceToken = input.trustedDeviceToken ?? caller.trustedDeviceToken;
  if (!input.password) return invalidInput({ path: ['password'], code: 'REQUIRED' });

  // The place in the queue comes first: who finds it full is told at once, and costs no database work.
  const slot = app.passwords.reserve();
  if (!slot) return rateLimited(BUSY_RETRY_SECONDS);
  try {
    const shown = await checkAccountPassword(app, caller, identifier, input.password, slot);
    if (shown.kind !== 'right') return shown;
    const step = await transact(app, caller.client, async (unit) => {
      await shown.note(unit);
      return beginLogin(unit, loginContext(app, { ...caller, trustedDeviceToken }), {
        purpose: 'PASSWORD',
        userId: shown.userId,
        credential: input.credential,
        methods: [{ method: 'PASSWORD', at: unit.now.toISOString() }],
        passwordChangedAt: shown.changedAt,
        email: identifier.email,
        phone: identifier.phone,
      });
    });
    if (!step) return { kind: 'InvalidCredentials' };
    shown.refund();
    return step;
  } finally {
    slot.release();
  }
}
