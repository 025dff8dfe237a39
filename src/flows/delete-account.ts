import { isLastAdministrator, type LastAdministrator } from '../administration/act.ts';
import type { App } from '../app.ts';
import { removeAccount } from '../login/remove-account.ts';
import * as invitations from '../records/invitations.ts';
import { transact } from '../unit.ts';
import { type FreshSession, lockViewer } from './shared/freshness.ts';
import type { Caller, Unauthenticated } from './shared/outcomes.ts';

export interface AccountDeleted {
  readonly kind: 'AccountDeleted';
  readonly userId: string;
}

export type DeleteAccountResult = AccountDeleted | LastAdministrator | Unauthenticated;

/**
 * Removes the viewer and everything that is theirs, ends their sessions, and says goodbye. The last administrator stays:
 * nobody over GraphQL could make another one.
 */
export async function deleteAccount(app: App, { client }: Caller, viewer: FreshSession): Promise<DeleteAccountResult> {
  const { id } = viewer.user;
  return transact(app, client, async (unit): Promise<DeleteAccountResult> => {
    if (!(await lockViewer(unit, viewer))) return { kind: 'Unauthenticated', reason: 'REVOKED' };
    if (await isLastAdministrator(unit, id)) return { kind: 'LastAdministrator' };
    await invitations.revokeBy(unit.db, id, unit.now);
    await removeAccount(unit, id);
    return { kind: 'AccountDeleted', userId: id };
  });
}
