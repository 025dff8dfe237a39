import type { App } from '../app.ts';
import { hasMfa } from '../factors/index.ts';
import type { FieldValue } from '../lib/user-fields/declaration.ts';
import { valuesOf } from '../lib/user-fields/values.ts';
import { amrOf, authenticatedAt, expiryOf } from '../records/sessions.ts';
import { authenticate, type PresentedCredential } from './shared/authenticate.ts';
import type { UnauthenticatedReason } from './shared/outcomes.ts';

/** Somebody who is recognised, as a program sees them that has Postern inside. */
export interface Identified {
  readonly kind: 'Identified';
  readonly userId: string;
  readonly sessionId: string;
  readonly name: string | null;
  readonly username: string | null;
  /** The primary address. */
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly roles: readonly string[];
  readonly hasMfa: boolean;
  /** What the person has of the operator's own fields; null for nothing. */
  readonly fields: Readonly<Record<string, FieldValue | null>>;
  /** How the person proved who they are: RFC 8176 values, `mfa` among them if a second factor was. */
  readonly methods: readonly string[];
  /** When the person last did so. */
  readonly authenticatedAt: Date;
  /** When the credential ends, unless it is ended before. */
  readonly expiresAt: Date;
}

export type Identification = Identified | { readonly kind: 'Unidentified'; readonly reason: UnauthenticatedReason };

/** Tells who is behind a credential. It counts as a use of the session. */
export async function identify(app: App, credential: PresentedCredential | null): Promise<Identification> {
  const viewer = await authenticate(app, credential);
  if (viewer.kind === 'anonymous') return { kind: 'Unidentified', reason: viewer.reason };
  const { user, session, credentialExpiresAt } = viewer;
  const { name, username, email, emailVerified, roles } = user;
  return {
    kind: 'Identified',
    userId: user.id,
    sessionId: session.id,
    ...{ name, username, email, emailVerified, roles },
    hasMfa: hasMfa(user.factors),
    fields: valuesOf(app.userFields, user.fields),
    methods: amrOf(session),
    authenticatedAt: authenticatedAt(session),
    expiresAt: credentialExpiresAt ?? expiryOf(session, app.config.session.idle),
  };
}
