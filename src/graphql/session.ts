import { factorNames } from '../factors/index.ts';
import { freshUntil } from '../flows/shared/freshness.ts';
import type { SignedIn } from '../flows/shared/outcomes.ts';
import { builder } from './builder.ts';
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

builder.queryField('currentSession', (t) =>
  t.field({
    type: CurrentSessionResult,
    description: 'The session behind this request.',
    resolve: (_root, _args, context) => signedIn(context, ({ session }) => ({ ...session, current: true })),
  }),
);
