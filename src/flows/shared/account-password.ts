import { countAccountTry } from '../../account-limit.ts';
import type { App, Count } from '../../app.ts';
import { addressKey } from '../../lib/client-address.ts';
import type { PasswordHash } from '../../records/passwords.ts';
import * as passwords from '../../records/passwords.ts';
import type { Identifier } from '../../records/users.ts';
import * as users from '../../records/users.ts';
import { transact, type Unit } from '../../unit.ts';
import { identifierKey } from './identifier.ts';
import { type Caller, type InvalidCredentials, type RateLimited, rateLimited } from './outcomes.ts';

/** A place to hash in. */
type Slot = NonNullable<ReturnType<App['passwords']['reserve']>>;

/** The password was right. Nothing is written yet but the count of the try. */
export interface AccountPassword {
  readonly kind: 'right';
  readonly userId: string;
  /** Names the password that was compared with. */
  readonly changedAt: Date;
  /** Writes down what the check found out: a hash that is too weak by now, a password that others know. */
  note(unit: Unit): Promise<void>;
  /** Takes the tries back, once they have led to something. */
  refund(): void;
}

/**
 * Checks the password of an account that somebody names. Whatever the reason for a refusal, it reads the same and took
 * the same work: one count, one look-up, one hash. The try is counted before the hash, so that parallel guesses are
 * limited like any others.
 */
export async function checkAccountPassword(
  app: App,
  caller: Caller,
  identifier: Identifier,
  typed: string,
  slot: Slot,
): Promise<AccountPassword | InvalidCredentials | RateLimited> {
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
  const counts: Count[] = [...counted.counts];

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
  const { matches, needsRehash } = await slot.verify(typed, stored);
  const userId = account?.userId ?? null;
  if (!matches || !stored || !userId) {
    await slot.evenOut(typed, stored, await passwords.anyForeign(app.database));
    await transact(app, caller.client, async ({ emit }) => emit({ kind: 'LoginFailed', userId, method: 'PASSWORD' }));
    return { kind: 'InvalidCredentials' };
  }
  const stronger = needsRehash ? await slot.hash(typed) : null;
  const breached = await app.passwords.isBreached(typed);
  return {
    kind: 'right',
    userId,
    changedAt: stored.changedAt,
    note: (unit) => note(unit, userId, { stored, stronger, breached }),
    refund: () => app.limiter.refund(...counts),
  };
}

async function note(
  { db }: Unit,
  userId: string,
  {
    stored,
    stronger,
    breached,
  }: { readonly stored: PasswordHash; readonly stronger: PasswordHash | null; readonly breached: boolean },
): Promise<void> {
  // The person first, then the password, as every change of it takes them.
  if (breached || stronger) await users.lock(db, userId);
  if (breached) await passwords.requireReplacement(db, userId, 'BREACHED');
  if (stronger) await passwords.rehash(db, userId, stored, stronger);
}
