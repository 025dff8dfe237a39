import type { App } from '../../app.ts';
import type { Session } from '../../records/sessions.ts';
import * as sessions from '../../records/sessions.ts';
import type { ReauthenticationMethod, ReauthenticationRequired, SignedIn } from './outcomes.ts';

declare const fresh: unique symbol;

/** Somebody who has just proven who they are. Only {@link demandFreshness} makes one: sensitive flows ask for it. */
export type FreshSession = SignedIn & { readonly [fresh]: true };

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

/** How somebody may prove anew who they are. */
export function methodsFor({ user }: SignedIn): ReauthenticationMethod[] {
  if (user.hasPassword) return ['PASSWORD'];
  return user.email ? ['EMAIL_CODE'] : [];
}

// A session that is held as a JWT is fresh by a proof that was made for it, not by the login that gave the JWT out.
function provenAt(session: Session): Date | null {
  const at = sessions.authenticatedAt(session);
  return session.credential === 'JWT' && at <= session.createdAt ? null : at;
}
