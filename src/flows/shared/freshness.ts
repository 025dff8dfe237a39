import type { App } from '../../app.ts';
import { hasMfa, namesOf } from '../../factors/index.ts';
import type { Session } from '../../records/sessions.ts';
import * as sessions from '../../records/sessions.ts';
import * as users from '../../records/users.ts';
import type { Unit } from '../../unit.ts';
import type { ReauthenticationMethod, ReauthenticationRequired, SignedIn, Unauthenticated } from './outcomes.ts';

declare const fresh: unique symbol;

/** Somebody who has just proven who they are. Only {@link demandFreshness} makes one: sensitive flows ask for it. */
export type FreshSession = SignedIn & { readonly [fresh]: true };

declare const freshByFactor: unique symbol;

/**
 * The same, and who has a second factor has proven it just now. Changes of the factors ask for this: whoever got hold of
 * a session and the password must not be able to take the second factor away, or to add their own.
 */
export type FactorFreshSession = FreshSession & { readonly [freshByFactor]: true };

/** Until when sensitive changes need no new proof; null when one is needed now. */
export function freshUntil({ config, clock }: App, session: Session): Date | null {
  const proven = provenAt(session);
  const until = proven && new Date(proven.getTime() + config.reauthenticationWindow);
  return until && until > clock() ? until : null;
}

/** The viewer, as one who may make sensitive changes, or what they have to do before. */
export function demandFreshness(app: App, viewer: SignedIn): FreshSession | ReauthenticationRequired {
  // A JWT is handed to other services: whoever shows one that belongs to a session held otherwise may be one of them.
  const holder = viewer.kind === 'session' || viewer.session.credential === 'JWT';
  if (holder && freshUntil(app, viewer.session)) return viewer as FreshSession;
  return { kind: 'ReauthenticationRequired', methods: methodsFor(viewer) };
}

/** The viewer, as one who may change their factors, or what they have to do before. */
export function demandFactorFreshness(app: App, viewer: SignedIn): FactorFreshSession | ReauthenticationRequired {
  const fresh = demandFreshness(app, viewer);
  if (!hasMfa(viewer.user.factors)) return fresh as FactorFreshSession | ReauthenticationRequired;
  const { session } = viewer;
  const at = sessions.secondFactorAt(session);
  const proven = at !== null && isRecent(app, session, at);
  if (proven && fresh.kind !== 'ReauthenticationRequired') return fresh as FactorFreshSession;
  return { kind: 'ReauthenticationRequired', methods: namesOf(viewer.user.factors) };
}

/**
 * Locks the person of the viewer, and looks at both once more: while a call waits, its session may have ended, by another
 * password, a first factor, or a log-out.
 * @returns null if there is no such session any more
 */
export async function lockViewer(
  { db }: Pick<Unit, 'db'>,
  { user, session }: SignedIn,
): Promise<Pick<SignedIn, 'user' | 'session'> | null> {
  const known = (await users.lock(db, user.id)) ? await sessions.findById(db, session.id) : null;
  return known?.endReason === null ? known : null;
}

/** The same for somebody who is about to change their factors: a first one may have come, which now has to be shown. */
export async function lockFactorFresh(
  app: App,
  unit: Unit,
  viewer: SignedIn,
): Promise<FactorFreshSession | ReauthenticationRequired | Unauthenticated> {
  const known = await lockViewer(unit, viewer);
  if (!known) return { kind: 'Unauthenticated', reason: 'REVOKED' };
  return demandFactorFreshness(app, { ...viewer, user: known.user, session: known.session });
}

/** How somebody may prove anew who they are. */
export function methodsFor({ user }: SignedIn): ReauthenticationMethod[] {
  const factors = namesOf(user.factors);
  if (user.hasPassword) return ['PASSWORD', ...factors];
  return user.email ? [...factors, 'EMAIL_CODE'] : factors;
}

function isRecent({ config, clock }: App, session: Session, at: Date): boolean {
  return isOwnProof(session, at) && at.getTime() + config.reauthenticationWindow > clock().getTime();
}

// A session that is held as a JWT is fresh by a proof that was made for it, not by the login that gave the JWT out.
function provenAt(session: Session): Date | null {
  const at = sessions.authenticatedAt(session);
  return isOwnProof(session, at) ? at : null;
}

function isOwnProof(session: Session, at: Date): boolean {
  return session.credential !== 'JWT' || at > session.createdAt;
}
