import type { App } from '../app.ts';
import { HASURA_DEFAULT_ROLE, hasuraRoles } from '../lib/hasura.ts';
import { expiryOf } from '../records/sessions.ts';
import type { Viewer } from './shared/outcomes.ts';

/** Who asks Hasura for something, and in which of their roles. */
export interface HasuraRoleChosen {
  readonly kind: 'HasuraRoleChosen';
  readonly userId: string;
  readonly role: string;
  /** When this is to be asked again: the role may be taken, and the session may end. */
  readonly expiresAt: Date;
}

/** Nobody, or somebody who does not have that role. */
export interface HasuraRoleRefused {
  readonly kind: 'HasuraRoleRefused';
}

export type ChooseHasuraRoleResult = HasuraRoleChosen | HasuraRoleRefused;

/** Hasura keeps a WebSocket open, or an answer, for so long at most after the session is over. */
const ASK_AGAIN_MS = 30_000;

/**
 * Tells Hasura in which role somebody asks.
 * @param asked the role that the request asks for; null for that of everybody
 */
export function chooseHasuraRole(app: App, viewer: Viewer, asked: string | null): ChooseHasuraRoleResult {
  if (viewer.kind === 'anonymous') return { kind: 'HasuraRoleRefused' };
  const role = asked ?? HASURA_DEFAULT_ROLE;
  const { user, session, credentialExpiresAt } = viewer;
  if (!hasuraRoles(user.roles).includes(role)) return { kind: 'HasuraRoleRefused' };
  const ends = [expiryOf(session, app.config.session.idle), credentialExpiresAt].filter((end) => end !== null);
  const soon = app.clock().getTime() + ASK_AGAIN_MS;
  const expiresAt = new Date(Math.min(soon, ...ends.map((end) => end.getTime())));
  return { kind: 'HasuraRoleChosen', userId: user.id, role, expiresAt };
}
