import type { App } from '../app.ts';
import { addressKey } from '../lib/client-address.ts';
import { parseEmailAddress } from '../lib/email-address.ts';
import { beginLogin, type LoginStep } from '../login/pipeline.ts';
import * as passwords from '../records/passwords.ts';
import type { CredentialKind } from '../records/sessions.ts';
import { transact } from '../unit.ts';
import {
  type Caller,
  type InvalidCredentials,
  type InvalidInput,
  invalidInput,
  loginContext,
  type RateLimited,
  rateLimited,
} from './outcomes.ts';

export interface LogInWithPasswordInput {
  readonly email?: string | null | undefined;
  readonly username?: string | null | undefined;
  readonly phone?: string | null | undefined;
  readonly password: string;
  readonly credential: CredentialKind;
}

export type LogInWithPasswordResult = LoginStep | InvalidCredentials | InvalidInput | RateLimited;

/** Seconds after which a server that is busy with hashing is worth asking again. */
const BUSY_RETRY_SECONDS = 1;

/**
 * Logs somebody in who knows the password of an account.
 *
 * Whatever the reason for a refusal, it reads the same and took the same work: one count, one look-up, one hash. The
 * attempt is counted before the hash, so that parallel guesses are limited like any others.
 */
export async function logInWithPassword(
  app: App,
  caller: Caller,
  input: LogInWithPasswordInput,
): Promise<LogInWithPasswordResult> {
  const address = readIdentifier(input);
  if (typeof address !== 'string') return address;

  // The place in the queue comes first: who finds it full is told at once, and costs no database work.
  const slot = app.passwords.reserve();
  if (!slot) return rateLimited(BUSY_RETRY_SECONDS);
  try {
    const counts = [
      { limit: 'passwordPerAccount', key: address },
      { limit: 'passwordPerAddress', key: addressKey(caller.client.ipAddress) },
      { limit: 'passwordOverall', key: '' },
    ] as const;
    const wait = await app.limiter.count(...counts);
    if (wait !== null) return rateLimited(wait);

    const account = await passwords.countAttempt(app.database.relaxed, address);
    const stored = account?.password ?? null;
    const { matches, needsRehash } = await slot.verify(input.password, stored);
    const userId = account?.userId ?? null;
    if (!matches || !stored || !userId) {
      await transact(app, caller.client, async ({ emit }) => emit({ kind: 'LoginFailed', userId, method: 'PASSWORD' }));
      return { kind: 'InvalidCredentials' };
    }
    const stronger = needsRehash ? await slot.hash(input.password) : null;

    const step = await transact(app, caller.client, async (unit) => {
      if (stronger) await passwords.rehash(unit.db, userId, stored, stronger);
      return beginLogin(unit, loginContext(app, caller), {
        purpose: 'PASSWORD',
        userId,
        credential: input.credential,
        methods: [{ method: 'PASSWORD', at: unit.now.toISOString() }],
        passwordChangedAt: stored.changedAt,
      });
    });
    if (!step) return { kind: 'InvalidCredentials' };
    app.limiter.refund(...counts);
    return step;
  } finally {
    slot.release();
  }
}

// The canonical address is both what the account is found by and what its limit counts for.
function readIdentifier({ email, username, phone, password }: LogInWithPasswordInput): string | InvalidInput {
  if (username != null) return invalidInput({ path: ['username'], code: 'NOT_ALLOWED' });
  if (phone != null) return invalidInput({ path: ['phone'], code: 'NOT_ALLOWED' });
  if (!email) return invalidInput({ path: ['email'], code: 'REQUIRED' });
  if (!password) return invalidInput({ path: ['password'], code: 'REQUIRED' });
  return parseEmailAddress(email) ?? invalidInput({ path: ['email'], code: 'INVALID' });
}
