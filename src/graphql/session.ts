import { factorNames } from '../factors/index.ts';
import { freshUntil } from '../flows/shared/freshness.ts';
import type { SignedIn, Unauthenticated } from '../flows/shared/outcomes.ts';
import { watchSession } from '../flows/watch-session.ts';
import { map, type Stream } from '../lib/abortable.ts';
import { builder } from './builder.ts';
import type { Context, Payload } from './context.ts';
import { signedIn } from './guard.ts';
import { UnauthenticatedType } from './outcomes.ts';

/** A session, and whether it is the one that the client holds. */
type Session = SignedIn['session'] & { readonly current: boolean };
type Method = Session['methods'][number];

export const CredentialKind = builder.enumType('CredentialKind', {
  description: 'How the client wants to hold its session.',
  values: {
    COOKIE: { description: 'An HttpOnly cookie, for browsers.' },
    SESSION_TOKEN: { description: 'An opaque token for `X-Session-Token` or `Authorization: Bearer`.' },
    JWT: { description: 'A short-lived JWT and a rotating refresh token.' },
  } as const,
});

const AuthenticationMethodKind = builder.enumType('AuthenticationMethodKind', {
  values: ['PASSWORD', 'CODE', 'LINK', 'PROVIDER', 'PASSWORD_RESET', ...factorNames] as const,
});

const AuthenticationMethod = builder.objectRef<Method>('AuthenticationMethod').implement({
  fields: (t) => ({
    method: t.expose('method', { type: AuthenticationMethodKind }),
    at: t.field({ type: 'DateTime', resolve: ({ at }) => new Date(at) }),
    provider: t.string({ nullable: true, description: 'For PROVIDER.', resolve: ({ provider }) => provider ?? null }),
  }),
});

export const SessionType = builder.objectRef<Session>('Session').implement({
  fields: (t) => ({
    id: t.exposeID('id'),
    current: t.exposeBoolean('current'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    lastSeenAt: t.expose('lastSeenAt', { type: 'DateTime' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
    credential: t.expose('credential', { type: CredentialKind }),
    ipAddress: t.exposeString('ipAddress', { nullable: true }),
    userAgent: t.exposeString('userAgent', { nullable: true }),
    methods: t.field({
      type: [AuthenticationMethod],
      description: 'What was proven, and when, oldest first.',
      resolve: ({ methods }) => [...methods],
    }),
    freshUntil: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Sensitive changes need no new proof until then; null when one is needed now.',
      resolve: (session, _args, { app }) => freshUntil(app, session),
    }),
  }),
});

const CurrentSessionResult = builder.unionType('CurrentSessionResult', {
  types: [SessionType, UnauthenticatedType],
  resolveType: (result) => ('kind' in result ? UnauthenticatedType : SessionType),
});

/** A session, and whether it is the one that the client holds. */
export function asSeenBy({ session: own }: SignedIn, session: SignedIn['session']): Session {
  return { ...session, current: session.id === own.id };
}

builder.queryField('currentSession', (t) =>
  t.field({
    type: CurrentSessionResult,
    description: 'The session behind this request.',
    resolve: (_root, _args, context) => signedIn(context, (viewer) => asSeenBy(viewer, viewer.session)),
  }),
);

builder.subscriptionField('currentSession', (t) =>
  t.field({
    type: CurrentSessionResult,
    description: 'The session behind this connection: now, and again whenever it changes. Ends with Unauthenticated.',
    subscribe: (_root, _args, context) => currentSession(context),
    resolve: ({ value }) => value,
  }),
);

type Current = Session | Unauthenticated;

async function* currentSession({ connection, caller, signal }: Context): Stream<Payload<Current>> {
  if (connection && signal) {
    const states = watchSession(connection, signal);
    yield* map(states, (state) => told('kind' in state ? state : asSeenBy(connection.viewer, state)));
  } else if (caller.viewer.kind === 'anonymous') {
    yield told({ kind: 'Unauthenticated', reason: caller.viewer.reason });
  }
}

function told(value: Current): Payload<Current> {
  return { value, eventId: null };
}
