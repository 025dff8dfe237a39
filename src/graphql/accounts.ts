import { factors, hasMfa } from '../factors/index.ts';
import { type AccountDetails, type Accounts, listUsers, MAX_PAGE, readUser } from '../flows/browse-users.ts';
import { connectionsOf } from '../flows/connect-provider.ts';
import { listSecurityEvents, type SecurityEvents } from '../flows/list-security-events.ts';
import { authenticatorsOf } from '../flows/manage-authenticators.ts';
import { emailsOf, phoneOf } from '../flows/read-account.ts';
import { sessionsOf } from '../flows/read-session.ts';
import type { NoAdministrator } from '../flows/shared/administrator.ts';
import type { NotFound, RateLimited, Unauthenticated } from '../flows/shared/outcomes.ts';
import { UserEmailType, UserPhoneType } from './account.ts';
import { AuthenticatorType } from './authenticators.ts';
import { builder } from './builder.ts';
import { SocialConnectionType } from './connect-provider.ts';
import { InvalidRequest } from './errors.ts';
import { asAdministrator } from './guard.ts';
import {
  NotAdministratorType,
  NotFoundType,
  RateLimitedType,
  ReauthenticationRequiredType,
  UnauthenticatedType,
} from './outcomes.ts';
import { resultUnion } from './result-union.ts';
import { SessionType } from './session.ts';

type Account = AccountDetails['account'];
type AuditEvent = SecurityEvents['nodes'][number];

/** What an administrator sees of a person: a type of its own, so that it never mixes with what its owner sees. */
export const AccountType = builder.objectRef<Account>('Account').implement({
  description: 'A person, as administrators see them. No secret is a part of it.',
  fields: (t) => ({
    id: t.exposeID('id'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    lastLoginAt: t.expose('lastLoginAt', { type: 'DateTime', nullable: true }),
    disabledAt: t.expose('disabledAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when nobody gets in as this person; null if they do.',
    }),
    name: t.exposeString('name', { nullable: true }),
    username: t.exposeString('username', { nullable: true }),
    email: t.exposeString('email', { nullable: true, description: 'The primary address.' }),
    emailVerified: t.exposeBoolean('emailVerified'),
    phone: t.exposeString('phone', { nullable: true, description: 'In E.164.' }),
    roles: t.stringList({ resolve: ({ roles }) => [...roles] }),
    hasPassword: t.exposeBoolean('hasPassword'),
    mustChangePassword: t.exposeBoolean('mustChangePassword', {
      description: 'Whether the next login asks for another password.',
    }),
    hasMfa: t.boolean({ resolve: ({ factors }) => hasMfa(factors) }),
  }),
});

const AuditEventType = builder.objectRef<AuditEvent>('AuditEvent').implement({
  description: 'One line of the audit trail, with all that it says.',
  fields: (t) => ({
    id: t.id({ resolve: ({ id }) => String(id) }),
    at: t.expose('at', { type: 'DateTime' }),
    kind: t.exposeString('kind'),
    sessionId: t.exposeID('sessionId', { nullable: true }),
    ipAddress: t.exposeString('ipAddress', { nullable: true }),
    userAgent: t.exposeString('userAgent', { nullable: true }),
    data: t.field({
      type: 'JSONObject',
      description: 'What else is told of this kind. `by` is the administrator who did it, null the command line.',
      resolve: ({ data }) => ({ ...data }),
    }),
  }),
});

const AuditEventConnectionType = builder.objectRef<SecurityEvents>('AuditEventConnection').implement({
  fields: (t) => ({
    nodes: t.field({ type: [AuditEventType], resolve: ({ nodes }) => [...nodes] }),
    endCursor: t.id({
      nullable: true,
      description: 'What to ask for the next page after.',
      resolve: ({ nodes }) => (nodes.length > 0 ? String(nodes.at(-1)?.id) : null),
    }),
    hasNextPage: t.exposeBoolean('hasNextPage'),
  }),
});

const AccountDetailsType = builder.objectRef<AccountDetails>('AccountDetails').implement({
  description: 'All that an administrator may see of one person.',
  fields: (t) => ({
    account: t.field({ type: AccountType, resolve: ({ account }) => account }),
    emails: t.field({
      type: [UserEmailType],
      description: 'The primary address first.',
      resolve: ({ account }, _args, { app }) => emailsOf(app, account),
    }),
    phone: t.field({
      type: UserPhoneType,
      nullable: true,
      resolve: ({ account }, _args, { app }) => phoneOf(app, account),
    }),
    sessions: t.field({
      type: [SessionType],
      description: 'Those that are not over, the newest first.',
      resolve: async ({ account }, _args, { app, caller: { viewer } }) =>
        (await sessionsOf(app, account)).map((session) => ({
          ...session,
          current: viewer.kind !== 'anonymous' && viewer.session.id === session.id,
        })),
    }),
    authenticators: t.field({
      type: [AuthenticatorType],
      description: 'What this person holds of further factors, the oldest first.',
      resolve: async ({ account }, _args, { app }) =>
        (await authenticatorsOf(app, account)).filter(({ kind }) => Object.hasOwn(factors, kind)),
    }),
    connections: t.field({
      type: [SocialConnectionType],
      description: 'The accounts at providers that log in to this one, the oldest first.',
      resolve: ({ account }, _args, { app }) => connectionsOf(app, account),
    }),
    events: t.field({
      type: AuditEventConnectionType,
      description: 'What happened to this account, the newest first.',
      args: {
        first: t.arg.int({ defaultValue: 20, description: `At most ${MAX_PAGE}.` }),
        after: t.arg.id({ description: 'The `endCursor` of the page before.' }),
      },
      resolve: async ({ account }, { first, after }, { app }) =>
        page(await listSecurityEvents(app, account, { first: first ?? 20, after: after ?? null })),
    }),
  }),
});

const AccountConnectionType = builder.objectRef<Accounts>('AccountConnection').implement({
  fields: (t) => ({
    nodes: t.field({ type: [AccountType], resolve: ({ nodes }) => [...nodes] }),
    endCursor: t.exposeID('endCursor', { nullable: true, description: 'What to ask for the next page after.' }),
    hasNextPage: t.exposeBoolean('hasNextPage'),
  }),
});

const UsersResultType = resultUnion<Accounts | RateLimited | NoAdministrator | Unauthenticated>()('UsersResult', {
  AccountConnection: AccountConnectionType,
  NotAdministrator: NotAdministratorType,
  ReauthenticationRequired: ReauthenticationRequiredType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
});

const UserResultType = resultUnion<AccountDetails | NotFound | RateLimited | NoAdministrator | Unauthenticated>()(
  'UserResult',
  {
    AccountDetails: AccountDetailsType,
    NotFound: NotFoundType,
    NotAdministrator: NotAdministratorType,
    ReauthenticationRequired: ReauthenticationRequiredType,
    Unauthenticated: UnauthenticatedType,
    RateLimited: RateLimitedType,
  },
);

builder.queryField('users', (t) =>
  t.field({
    type: UsersResultType,
    description: 'For administrators: the accounts, the newest first, or in the order of what they were found by.',
    args: {
      first: t.arg.int({ defaultValue: 20, description: `At most ${MAX_PAGE}.` }),
      after: t.arg.id({ description: 'The `endCursor` of the page before.' }),
      search: t.arg.string({
        description: 'How an address, a user name, a name or a number begins. For an id ask `user`.',
      }),
      role: t.arg.string({ description: 'Only who has this role.' }),
      disabled: t.arg.boolean({ description: 'Only who is disabled, or only who is not.' }),
    },
    resolve: (_root, { first, after, search = null, role = null, disabled = null }, context) =>
      asAdministrator(context, async (viewer) =>
        page(
          await listUsers(
            context.app,
            viewer,
            { search, role, disabled },
            { first: first ?? 20, after: after ?? null },
          ),
        ),
      ),
  }),
);

builder.queryField('user', (t) =>
  t.field({
    type: UserResultType,
    description: 'For administrators: one account.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, context) => asAdministrator(context, (viewer) => readUser(context.app, viewer, { id })),
  }),
);

/** A page, or what is wrong with the one that was asked for. */
export function page<P extends { readonly kind: string }>(
  found: P,
): Exclude<P, { readonly kind: 'InvalidPageSize' | 'InvalidCursor' }> {
  if (found.kind === 'InvalidPageSize') throw new InvalidRequest('INVALID_PAGE_SIZE', `first is 1 to ${MAX_PAGE}.`);
  if (found.kind === 'InvalidCursor')
    throw new InvalidRequest('INVALID_CURSOR', 'There is no such place in this list.');
  return found as Exclude<P, { readonly kind: 'InvalidPageSize' | 'InvalidCursor' }>;
}
