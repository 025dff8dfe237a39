import { hasMfa } from '../factors/index.ts';
import { lastLoginAt, sessionsOf } from '../flows/read-session.ts';
import type { SignedIn } from '../flows/shared/outcomes.ts';
import { localPartOf } from '../lib/email-address.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { signedIn } from './guard.ts';
import { UnauthenticatedType } from './outcomes.ts';
import { SessionType } from './session.ts';

/** A person, and the session through which this request sees them. */
type User = SignedIn['user'] & { readonly currentSessionId: string };

/** A person, as they themselves may see them: the fields are listed one by one, so that a secret cannot leak. */
export const UserType = builder.objectRef<User>('User').implement({
  fields: (t) => ({
    id: t.exposeID('id'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    lastLoginAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: (user, _args, { app }) => lastLoginAt(app, user),
    }),
    displayName: t.string({
      description: 'What to call this person: name, else username, else the local part of the address.',
      resolve: ({ name, username, email }) => name ?? username ?? localPartOf(email ?? ''),
    }),
    name: t.exposeString('name', { nullable: true }),
    username: t.exposeString('username', { nullable: true }),
    email: t.exposeString('email', { nullable: true, description: 'The primary address.' }),
    emailVerified: t.exposeBoolean('emailVerified'),
    roles: t.stringList({ resolve: ({ roles }) => [...roles] }),
    hasPassword: t.exposeBoolean('hasPassword'),
    sessions: t.field({
      type: [SessionType],
      description: 'The sessions that are not over, the newest first.',
      resolve: async (user, _args, { app }) =>
        (await sessionsOf(app, user)).map((session) => ({ ...session, current: session.id === user.currentSessionId })),
    }),
    hasMfa: t.boolean({
      description: 'True once this person has a second factor: an authenticator app or a passkey used as one.',
      resolve: ({ factors }) => hasMfa(factors),
    }),
  }),
});

/** The viewer as they see themselves. */
export function viewingThemselves({ user, session }: SignedIn): User {
  return { ...user, currentSessionId: session.id };
}

const CurrentUserResult = builder.unionType('CurrentUserResult', {
  types: [UserType, UnauthenticatedType],
  resolveType: (result) => ('kind' in result ? UnauthenticatedType : UserType),
});

builder.queryField('currentUser', (t) =>
  t.field({
    type: CurrentUserResult,
    description: 'Who asks.',
    resolve: (_root, _args, context: Context) => signedIn(context, viewingThemselves),
  }),
);
