import { type Act, isAdministrator } from '../../administration/act.ts';
import type { App } from '../../app.ts';
import { isUuid } from '../../lib/uuid.ts';
import { isEnrollmentDue } from '../../login/mfa.ts';
import * as sessions from '../../records/sessions.ts';
import * as users from '../../records/users.ts';
import { transact, type Unit } from '../../unit.ts';
import { demandFactorFreshness, type FactorFreshSession } from './freshness.ts';
import {
  type Caller,
  type NotFound,
  type RateLimited,
  type ReauthenticationRequired,
  rateLimited,
  type SignedIn,
  type Unauthenticated,
} from './outcomes.ts';

declare const administrates: unique symbol;

/** Somebody who administrates. Only {@link demandAdministrator} makes one: whoever looks at others asks for it. */
export type Administrator = SignedIn & { readonly [administrates]: true };

/** The same, who has just proven who they are, by a second factor if they have one: whoever changes others asks for it. */
export type FreshAdministrator = Administrator & FactorFreshSession;

/** The viewer does not administrate. Said before anything is looked up, so it tells nothing of anybody else. */
export interface NotAdministrator {
  readonly kind: 'NotAdministrator';
}

/** What keeps somebody from looking. */
export type NoAdministrator = NotAdministrator | ReauthenticationRequired;

/** What keeps an administrator from acting. */
export type Barred = NotAdministrator | ReauthenticationRequired | Unauthenticated | RateLimited;

/**
 * The viewer, as one who administrates: by their roles as they are now, never by the word of a token. Whoever must have a
 * second factor sets it up first, which a login asks for: roles may have come to somebody who is signed in without one.
 * @param db the transaction that runs, if one does
 */
export async function demandAdministrator(
  app: App,
  viewer: SignedIn,
  db: Unit['db'] = app.database,
): Promise<Administrator | NoAdministrator> {
  const { config, hooks, userFields } = app;
  if (!isAdministrator(config, viewer.user.roles)) return { kind: 'NotAdministrator' };
  const anew = { kind: 'ReauthenticationRequired', methods: [] } as const;
  // A JWT is handed to other services: whoever shows one that belongs to a session held otherwise may be one of them.
  if (viewer.kind === 'accessToken' && viewer.session.credential !== 'JWT') return anew;
  if (await isEnrollmentDue({ db, config, hooks, userFields }, viewer.user.id)) return anew;
  return viewer as Administrator;
}

/** The viewer, as an administrator who may change others, or what they have to do before. */
export async function demandFreshAdministrator(
  app: App,
  viewer: SignedIn,
  db: Unit['db'] = app.database,
): Promise<FreshAdministrator | NoAdministrator> {
  const administrator = await demandAdministrator(app, viewer, db);
  if (administrator.kind === 'NotAdministrator' || administrator.kind === 'ReauthenticationRequired')
    return administrator;
  const fresh = demandFactorFreshness(app, administrator);
  return fresh.kind === 'ReauthenticationRequired' ? fresh : (fresh as FreshAdministrator);
}

/** Counts a look at others. Null: it may go on. */
export async function limitLookUps(app: App, { user }: Administrator): Promise<RateLimited | null> {
  const wait = await app.limiter.count({ limit: 'lookUpPerAdministrator', key: user.id });
  return wait === null ? null : rateLimited(wait);
}

/** Counts a change of others. Null: it may go on. */
export async function limitActs(app: App, { user }: FreshAdministrator): Promise<RateLimited | null> {
  const wait = await app.limiter.count({ limit: 'changePerAdministrator', key: user.id });
  return wait === null ? null : rateLimited(wait);
}

/**
 * Runs an act of an administrator in one transaction, counted before. While it waited they may have lost their session,
 * their roles, or got a first factor: all of it is looked at once more, with the administrator locked.
 * @param subject an account that is locked with the administrator, always in the same order; null for none
 */
export async function act<R>(
  app: App,
  { client }: Caller,
  viewer: FreshAdministrator,
  subject: string | null,
  work: (act: Act) => Promise<R>,
): Promise<R | Exclude<Barred, RateLimited>> {
  const { id: by } = viewer.user;
  return transact(
    app,
    client,
    async (unit) => {
      const barred = await lockAdministrator(app, unit, viewer, subject);
      return barred ?? work({ ...unit, by });
    },
    { by },
  );
}

/** The same for an act on an account. An id that is none is that of nobody. */
export async function actOn<R>(
  app: App,
  caller: Caller,
  viewer: FreshAdministrator,
  userId: string,
  work: (act: Act) => Promise<R>,
): Promise<R | NotFound | Barred> {
  const limited = await limitActs(app, viewer);
  if (limited) return limited;
  const subject = isUuid(userId) ? userId.toLowerCase() : users.NOBODY;
  return act<R | NotFound>(app, caller, viewer, subject, async (unit) =>
    (await users.lock(unit.db, subject)) ? work(unit) : { kind: 'NotFound' },
  );
}

async function lockAdministrator(
  app: App,
  { db }: Unit,
  viewer: FreshAdministrator,
  subject: string | null,
): Promise<Exclude<Barred, RateLimited> | null> {
  await users.lockAll(db, [viewer.user.id, subject ?? viewer.user.id]);
  const known = await sessions.findById(db, viewer.session.id);
  if (known?.endReason !== null) return { kind: 'Unauthenticated', reason: 'REVOKED' };
  const fresh = await demandFreshAdministrator(app, { ...viewer, user: known.user, session: known.session }, db);
  return fresh.kind === 'NotAdministrator' || fresh.kind === 'ReauthenticationRequired' ? fresh : null;
}
