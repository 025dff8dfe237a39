import type { AdministratorAction } from '../events.ts';
import * as invitations from '../records/invitations.ts';
import * as users from '../records/users.ts';
import type { Unit } from '../unit.ts';

/** What an act of administration works with, whoever acts: one transaction, one instant. */
export interface Act extends Pick<Unit, 'db' | 'now' | 'config' | 'cipher' | 'codeKeys' | 'emit' | 'send'> {
  /** The administrator; null for the operator at the command line. */
  readonly by: string | null;
}

/** It would leave nobody who administrates. */
export interface LastAdministrator {
  readonly kind: 'LastAdministrator';
}

/** Whether there is nobody else who administrates and can log in. The person is locked. */
export async function isLastAdministrator(
  { db, config }: Pick<Unit, 'db' | 'config'>,
  userId: string,
): Promise<boolean> {
  // Where administration is off nobody is one. The lock that this takes is only for those who are about to lose one.
  if (!isAdministrator(config, await users.rolesOf(db, userId))) return false;
  return users.isLastWith(db, config.adminRoles, userId);
}

/** Whether somebody with these roles administrates. */
export function isAdministrator({ adminRoles }: Pick<Unit['config'], 'adminRoles'>, roles: readonly string[]): boolean {
  return roles.some((role) => adminRoles.includes(role));
}

/**
 * Lets go of an administrator: what they invited others to ends with them. The operator at the command line may let go of
 * the last one, and make another.
 */
export async function dismiss(act: Act, userId: string): Promise<LastAdministrator | null> {
  if ((await isLastAdministrator(act, userId)) && act.by !== null) return { kind: 'LastAdministrator' };
  await invitations.revokeBy(act.db, userId, act.now);
  return null;
}

/** Tells what was done, in the trail of who did it. */
export function note({ emit, by }: Act, action: AdministratorAction, subjectId: string): void {
  emit({ kind: 'AdministratorActed', userId: by, action, subjectId });
}
