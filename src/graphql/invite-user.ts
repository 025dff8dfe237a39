import type { InvitationRevoked, UserInvited } from '../administration/invitations.ts';
import { type Invitations, listInvitations, MAX_PAGE } from '../flows/browse-users.ts';
import {
  type InviteUserResult,
  inviteUser,
  type RevokeInvitationResult,
  revokeInvitation,
} from '../flows/invite-user.ts';
import type { NoAdministrator } from '../flows/shared/administrator.ts';
import type { RateLimited, Unauthenticated } from '../flows/shared/outcomes.ts';
import { page } from './accounts.ts';
import { barred } from './administer-user.ts';
import { builder } from './builder.ts';
import { asAdministrator, asFreshAdministrator } from './guard.ts';
import { InvalidInputType, NotFoundType, SignUpClosedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const InvitationType = builder.objectRef<UserInvited['invitation']>('Invitation').implement({
  description: 'That somebody may sign up. What it is accepted by stands in the mail, and nowhere else.',
  fields: (t) => ({
    id: t.exposeID('id'),
    email: t.exposeString('email'),
    roles: t.stringList({
      description: 'What its person gets with the account.',
      resolve: ({ roles }) => [...roles],
    }),
    invitedBy: t.exposeID('invitedBy', {
      nullable: true,
      description: 'The administrator; null for the command line.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
  }),
});

const InvitationConnectionType = builder.objectRef<Invitations>('InvitationConnection').implement({
  fields: (t) => ({
    nodes: t.field({ type: [InvitationType], resolve: ({ nodes }) => [...nodes] }),
    endCursor: t.exposeID('endCursor', { nullable: true, description: 'What to ask for the next page after.' }),
    hasNextPage: t.exposeBoolean('hasNextPage'),
  }),
});

const InvitationsResultType = resultUnion<Invitations | RateLimited | NoAdministrator | Unauthenticated>()(
  'InvitationsResult',
  { InvitationConnection: InvitationConnectionType, ...barred },
);

builder.queryField('invitations', (t) =>
  t.field({
    type: InvitationsResultType,
    description: 'For administrators: the invitations that somebody may still accept, the newest first.',
    args: {
      first: t.arg.int({ defaultValue: 20, description: `At most ${MAX_PAGE}.` }),
      after: t.arg.id({ description: 'The `endCursor` of the page before.' }),
    },
    resolve: (_root, { first, after }, context) =>
      asAdministrator(context, async (viewer) =>
        page(await listInvitations(context.app, viewer, { first: first ?? 20, after: after ?? null })),
      ),
  }),
);

const InviteUserInput = builder.inputType('InviteUserInput', {
  fields: (t) => ({
    email: t.string({ required: true }),
    roles: t.stringList({ required: true, defaultValue: [] }),
  }),
});

const UserInvitedType = builder.objectRef<UserInvited>('UserInvited').implement({
  description: 'A mail is on its way. One that was sent to this address before does no more.',
  fields: (t) => ({ invitation: t.field({ type: InvitationType, resolve: ({ invitation }) => invitation }) }),
});

const InviteUserResultType = resultUnion<InviteUserResult | NoAdministrator>()('InviteUserResult', {
  UserInvited: UserInvitedType,
  InvalidInput: InvalidInputType,
  SignUpClosed: SignUpClosedType,
  ...barred,
});

builder.mutationField('inviteUser', (t) =>
  t.field({
    type: InviteUserResultType,
    description:
      'For administrators. Mails an invitation, with which somebody signs up by password, passkey or provider.',
    args: { input: t.arg({ type: InviteUserInput, required: true }) },
    resolve: (_root, { input }, context) =>
      asFreshAdministrator(context, (viewer) => inviteUser(context.app, context.caller, viewer, input)),
  }),
);

const RevokeInvitationInput = builder.inputType('RevokeInvitationInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

const InvitationRevokedType = builder.objectRef<InvitationRevoked>('InvitationRevoked').implement({
  fields: (t) => ({ id: t.exposeID('id') }),
});

const RevokeInvitationResultType = resultUnion<RevokeInvitationResult | NoAdministrator>()('RevokeInvitationResult', {
  InvitationRevoked: InvitationRevokedType,
  NotFound: NotFoundType,
  ...barred,
});

builder.mutationField('revokeInvitation', (t) =>
  t.field({
    type: RevokeInvitationResultType,
    description: 'For administrators. Takes an invitation back that nobody has accepted yet.',
    args: { input: t.arg({ type: RevokeInvitationInput, required: true }) },
    resolve: (_root, { input }, context) =>
      asFreshAdministrator(context, (viewer) => revokeInvitation(context.app, context.caller, viewer, input)),
  }),
);
