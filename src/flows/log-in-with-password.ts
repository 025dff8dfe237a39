import { countAccountTry } from '../account-limit.ts';
import type { App } from '../app.ts';
import { addressKey } from '../lib/client-address.ts';
import { beginLogin, type LoginStep } from '../login/pipeline.ts';
import * as passwords from '../records/passwords.ts';
import type { CredentialKind } from '../records/sessions.ts';
import * as users from '../records/users.ts';
import { transact } from '../unit.ts';
import { identifierKey, type NamedPerson, readIdentifier } from './shared/identifier.ts';
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
  const identifier = readIdentifier(app, input, 'login');
  if ('kind' in identifier) return identifier;
  const trustedDeviceToken = input.trustedDeviceToken ?? caller.trustedDeviceToken;
  if (!input.password) return invalidInput({ path: ['password'], code: 'REQUIRED' });

  // The place in the queue comes first: who finds it full is told at once, and costs no database work.
  const slot = app.passwords.reserve();
  if (!slot) return rateLimited(BUSY_RETRY_SECONDS);
  try {
    const named = identifierKey(identifier);
    const owner = () => users.findByIdentifier(app.database, identifier);
    const counted = await countAccountTry(
      app,
      caller,
      { limit: 'passwordPerAccount', key: named, owner },
      { limit: 'passwordPerAddress', key: addressKey(caller.client.ipAddress) },
      { limit: 'passwordOverall', key: '' },
    );
    if (counted.wait !== null) return rateLimited(counted.wait);
    const counts = [...counted.counts];

    const decoy = app.limiter.rowOf({ limit: 'passwordPerAccount', key: named });
    const account = await passwords.countAttempt(app.database.relaxed, identifier, decoy);
    // Other names of an account are not other tries: all of them count for its primary address. A name that nobody has
    // counts once more as well, as the time would tell.
    if (!identifier.email || (account?.primaryEmail && account.primaryEmail !== named)) {
      const key = account?.primaryEmail ?? `${named} again`;
      const more = await countAccountTry(app, caller, { limit: 'passwordPerAccount', key, owner });
      if (more.wait !== null) return rateLimited(more.wait);
      counts.push(...more.counts);
    }
    const stored = account?.password ?? null;
    const { matches, needsRehash } = await slot.verify(input.password, stored);
    const userId = account?.userId ?? null;
    if (!matches || !stored || !userId) {
      await transact(app, caller.client, async ({ emit }) => emit({ kind: 'LoginFailed', userId, method: 'PASSWORD' }));
      return { kind: 'InvalidCredentials' };
    }
    const stronger = needsRehash ? await slot.hash(input.password) : null;
    const breached = await app.passwords.isBreached(input.password);

    const step = await transact(app, caller.client, async (unit) => {
      // The person first, then the password, as every change of it takes them.
      if (breached || stronger) await users.lock(unit.db, userId);
      if (breached) await passwords.requireReplacement(unit.db, userId, 'BREACHED');
      if (stronger) await passwords.rehash(unit.db, userId, stored, stronger);
      return beginLogin(unit, loginContext(app, { ...caller, trustedDeviceToken }), {
        purpose: 'PASSWORD',
        userId,
        credential: input.credential,
        methods: [{ method: 'PASSWORD', at: unit.now.toISOString() }],
        passwordChangedAt: stored.changedAt,
        email: identifier.email,
        phone: identifier.phone,
      });
    });
    if (!step) return { kind: 'InvalidCredentials' };
    app.limiter.refund(...counts);
    return step;
  } finally {
    slot.release();
  }
}
