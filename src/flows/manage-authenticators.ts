import type { App } from '../app.ts';
import { hasMfa } from '../factors/index.ts';
import { isMfaRequired } from '../login/mfa.ts';
import { bindingOf } from '../login/trust.ts';
import type { Authenticator } from '../records/authenticators.ts';
import * as authenticators from '../records/authenticators.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import type { Session } from '../records/sessions.ts';
import * as sessions from '../records/sessions.ts';
import * as trustedDevices from '../records/trusted-devices.ts';
import type { User } from '../records/users.ts';
import { transact, type Unit } from '../unit.ts';
import { endOtherSessions, giveRecoveryCodes, isAsked } from './shared/enrollment.ts';
import { type FactorFreshSession, type FreshSession, lockFactorFresh, lockViewer } from './shared/freshness.ts';
import {
  type Caller,
  type LastLoginMethod,
  type NotFound,
  type RateLimited,
  type ReauthenticationRequired,
  rateLimited,
  type Unauthenticated,
} from './shared/outcomes.ts';
import { canGoWithout } from './shared/ways-in.ts';

export interface AuthenticatorRemoved {
  readonly kind: 'AuthenticatorRemoved';
  readonly id: string;
  /** As they are now. */
  readonly user: User;
  /** Through which they are seen. */
  readonly session: Session;
}

/** This person must have a second factor, and this is the last one. */
export interface MfaKept {
  readonly kind: 'MfaKept';
}

/** There is no second factor that recovery codes could stand in for. */
export interface MfaNotEnabled {
  readonly kind: 'MfaNotEnabled';
}

export interface RecoveryCodesGenerated {
  readonly kind: 'RecoveryCodesGenerated';
  readonly recoveryCodes: readonly string[];
}

export interface TrustedDevicesForgotten {
  readonly kind: 'TrustedDevicesForgotten';
  readonly count: number;
}

export type RemoveAuthenticatorResult =
  | AuthenticatorRemoved
  | NotFound
  | MfaKept
  | LastLoginMethod
  | ReauthenticationRequired
  | Unauthenticated;
export type GenerateRecoveryCodesResult =
  | RecoveryCodesGenerated
  | MfaNotEnabled
  | ReauthenticationRequired
  | Unauthenticated
  | RateLimited;
export type ForgetTrustedDevicesResult = TrustedDevicesForgotten | Unauthenticated;

/** What a person holds of further factors, the oldest first. */
export function authenticatorsOf(app: App, { id }: Pick<User, 'id'>): Promise<Authenticator[]> {
  return authenticators.list(app.database, id);
}

/**
 * Takes a factor away. With the last one that logins ask for, the recovery codes go too. What was opened or begun by
 * somebody with the factor ends, but for the session that asks.
 */
export async function removeAuthenticator(
  app: App,
  { client }: Caller,
  viewer: FactorFreshSession,
  input: { readonly id: string },
): Promise<RemoveAuthenticatorResult> {
  const { id: userId } = viewer.user;
  return transact(app, client, async (unit): Promise<RemoveAuthenticatorResult> => {
    const { db, now, emit } = unit;
    const known = await lockFactorFresh(app, unit, viewer);
    if (known.kind === 'Unauthenticated' || known.kind === 'ReauthenticationRequired') return known;
    const { session } = known;
    const held = await authenticators.list(db, userId);
    const removed = held.find(({ id }) => id === input.id);
    if (!removed) return { kind: 'NotFound' };
    const last = isAsked(removed.kind) && !hasMfa(held.filter((each) => each !== removed).map(({ kind }) => kind));
    if (last && (await isMfaRequired(unit, userId))) return { kind: 'MfaKept' };
    if (!(await canGoWithout(app, unit, known.user, { authenticator: removed.id }))) return { kind: 'LastLoginMethod' };

    await authenticators.remove(db, userId, removed.id);
    if (last) await authenticators.removeAll(db, userId);
    await pendingLogins.endAll(db, userId, now);
    await endOtherSessions(unit, userId, session.id);
    const { id: authenticatorId, kind: factor, name } = removed;
    emit({ kind: 'AuthenticatorRemoved', userId, authenticatorId, factor, name, last });
    if (last) emit({ kind: 'MfaDisabled', userId });
    const after = await sessions.findById(db, session.id);
    return { kind: 'AuthenticatorRemoved', id: removed.id, user: after?.user ?? known.user, session };
  });
}

/** Gives new recovery codes. Those before are void. */
export async function generateRecoveryCodes(
  app: App,
  { client }: Caller,
  viewer: FactorFreshSession,
): Promise<GenerateRecoveryCodesResult> {
  const { id } = viewer.user;
  const wait = await app.limiter.count({ limit: 'changePerAccount', key: id });
  if (wait !== null) return rateLimited(wait);
  return transact(app, client, async (unit): Promise<GenerateRecoveryCodesResult> => {
    const fresh = await lockFactorFresh(app, unit, viewer);
    if (fresh.kind === 'Unauthenticated' || fresh.kind === 'ReauthenticationRequired') return fresh;
    const offered = unit.config.mfa.factors.includes('RECOVERY_CODE');
    if (!offered || !(await isProtected(unit, id))) return { kind: 'MfaNotEnabled' };
    const recoveryCodes = await giveRecoveryCodes(unit, id);
    unit.emit({ kind: 'RecoveryCodesGenerated', userId: id });
    return { kind: 'RecoveryCodesGenerated', recoveryCodes };
  });
}

/** Asks every device for a second factor again. */
export async function forgetTrustedDevices(
  app: App,
  { client }: Caller,
  viewer: FreshSession,
): Promise<ForgetTrustedDevicesResult> {
  const { id } = viewer.user;
  return transact(app, client, async (unit): Promise<ForgetTrustedDevicesResult> => {
    if (!(await lockViewer(unit, viewer))) return { kind: 'Unauthenticated', reason: 'REVOKED' };
    const count = await trustedDevices.forgetAll(unit.db, id, await bindingOf(unit, id), unit.now);
    unit.emit({ kind: 'TrustedDevicesForgotten', userId: id, count });
    return { kind: 'TrustedDevicesForgotten', count };
  });
}

async function isProtected({ db }: Unit, userId: string): Promise<boolean> {
  return hasMfa((await authenticators.list(db, userId)).map(({ kind }) => kind));
}
