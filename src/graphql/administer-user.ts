import type { PasswordNotSet, UserAdministered, UserDeleted } from '../administration/accounts.ts';
import {
  type DeleteUserResult,
  type DisableUserResult,
  deleteUser,
  disableUser,
  type EnableUserResult,
  enableUser,
  type OwnAccount,
  type RequirePasswordChangeResult,
  type ResetUserFactorsResult,
  type RevokeUserSessionsResult,
  requirePasswordChange,
  resetUserFactors,
  revokeUserSessions,
  type SetUserRolesResult,
  setUserRoles,
  type UpdateUserResult,
  updateUser,
} from '../flows/administer-user.ts';
import type { NoAdministrator } from '../flows/shared/administrator.ts';
import { AccountType } from './accounts.ts';
import { builder } from './builder.ts';
import { asFreshAdministrator } from './guard.ts';
import {
  InvalidInputType,
  LastAdministratorType,
  NotAdministratorType,
  NotFoundType,
  RateLimitedType,
  ReauthenticationRequiredType,
  UnauthenticatedType,
} from './outcomes.ts';
import { Problem } from './problems.ts';
import { resultUnion } from './result-union.ts';
import { givenFields } from './user-fields.ts';

const UserAdministeredType = builder.objectRef<UserAdministered>('UserAdministered').implement({
  description: 'It is as the administrator wants it.',
  fields: (t) => ({
    user: t.field({ type: AccountType, resolve: ({ user }) => user }),
    changed: t.exposeBoolean('changed', { description: 'False if it was so already.' }),
    sessionsEnded: t.exposeInt('sessionsEnded'),
  }),
});

const UserDeletedType = builder.objectRef<UserDeleted>('UserDeleted').implement({
  fields: (t) => ({ userId: t.exposeID('userId') }),
});

const PasswordNotSetType = builder.objectRef<PasswordNotSet>('PasswordNotSet').implement({
  description: 'This person has no password that could be changed.',
  interfaces: [Problem],
});

const OwnAccountType = builder.objectRef<OwnAccount>('OwnAccount').implement({
  description: 'For their own account, people use what is theirs to use.',
  interfaces: [Problem],
});

/** What keeps an administrator from acting on somebody. */
export const barred = {
  NotAdministrator: NotAdministratorType,
  ReauthenticationRequired: ReauthenticationRequiredType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
};

const DisableUserInput = builder.inputType('DisableUserInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

const DisableUserResultType = resultUnion<DisableUserResult | NoAdministrator>()('DisableUserResult', {
  UserAdministered: UserAdministeredType,
  LastAdministrator: LastAdministratorType,
  NotFound: NotFoundType,
  ...barred,
});

builder.mutationField('disableUser', (t) =>
  t.field({
    type: DisableUserResultType,
    description: 'For administrators. Ends every session of this person at once, and lets nobody in as them.',
    args: { input: t.arg({ type: DisableUserInput, required: true }) },
    resolve: (_root, { input }, context) =>
      asFreshAdministrator(context, (viewer) => disableUser(context.app, context.caller, viewer, input)),
  }),
);

const EnableUserInput = builder.inputType('EnableUserInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

const EnableUserResultType = resultUnion<EnableUserResult | NoAdministrator>()('EnableUserResult', {
  UserAdministered: UserAdministeredType,
  NotFound: NotFoundType,
  ...barred,
});

builder.mutationField('enableUser', (t) =>
  t.field({
    type: EnableUserResultType,
    description: 'For administrators. Lets this person in again.',
    args: { input: t.arg({ type: EnableUserInput, required: true }) },
    resolve: (_root, { input }, context) =>
      asFreshAdministrator(context, (viewer) => enableUser(context.app, context.caller, viewer, input)),
  }),
);

const SetUserRolesInput = builder.inputType('SetUserRolesInput', {
  fields: (t) => ({ id: t.id({ required: true }), roles: t.stringList({ required: true }) }),
});

const SetUserRolesResultType = resultUnion<SetUserRolesResult | NoAdministrator>()('SetUserRolesResult', {
  UserAdministered: UserAdministeredType,
  LastAdministrator: LastAdministratorType,
  InvalidInput: InvalidInputType,
  NotFound: NotFoundType,
  ...barred,
});

builder.mutationField('setUserRoles', (t) =>
  t.field({
    type: SetUserRolesResultType,
    description: 'For administrators. Replaces the roles of this person.',
    args: { input: t.arg({ type: SetUserRolesInput, required: true }) },
    resolve: (_root, { input }, context) =>
      asFreshAdministrator(context, (viewer) => setUserRoles(context.app, context.caller, viewer, input)),
  }),
);

const UpdateUserInput = builder.inputType('UpdateUserInput', {
  description: 'What is left out stays; null or an empty text takes it away.',
  fields: (t) => ({ id: t.id({ required: true }), name: t.string() }),
});

const UpdateUserResultType = resultUnion<UpdateUserResult | NoAdministrator>()('UpdateUserResult', {
  UserAdministered: UserAdministeredType,
  InvalidInput: InvalidInputType,
  NotFound: NotFoundType,
  ...barred,
});

builder.mutationField('updateUser', (t) =>
  t.field({
    type: UpdateUserResultType,
    description:
      'For administrators. Changes what this person is called, and fields of the operator: all of it, or nothing.',
    args: { input: t.arg({ type: UpdateUserInput, required: true }) },
    resolve: (_root, { input }, context) =>
      asFreshAdministrator(context, (viewer) =>
        updateUser(context.app, context.caller, viewer, { ...input, fields: givenFields(context, input) }),
      ),
  }),
);

const RequirePasswordChangeInput = builder.inputType('RequirePasswordChangeInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

const RequirePasswordChangeResultType = resultUnion<RequirePasswordChangeResult | NoAdministrator>()(
  'RequirePasswordChangeResult',
  {
    UserAdministered: UserAdministeredType,
    PasswordNotSet: PasswordNotSetType,
    NotFound: NotFoundType,
    ...barred,
  },
);

builder.mutationField('requirePasswordChange', (t) =>
  t.field({
    type: RequirePasswordChangeResultType,
    description:
      'For administrators. Ends every session of this person, whose next login asks for another password. They are told by mail.',
    args: { input: t.arg({ type: RequirePasswordChangeInput, required: true }) },
    resolve: (_root, { input }, context) =>
      asFreshAdministrator(context, (viewer) => requirePasswordChange(context.app, context.caller, viewer, input)),
  }),
);

const RevokeUserSessionsInput = builder.inputType('RevokeUserSessionsInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

const RevokeUserSessionsResultType = resultUnion<RevokeUserSessionsResult | NoAdministrator>()(
  'RevokeUserSessionsResult',
  {
    UserAdministered: UserAdministeredType,
    NotFound: NotFoundType,
    ...barred,
  },
);

builder.mutationField('revokeUserSessions', (t) =>
  t.field({
    type: RevokeUserSessionsResultType,
    description: 'For administrators. Ends every session of this person.',
    args: { input: t.arg({ type: RevokeUserSessionsInput, required: true }) },
    resolve: (_root, { input }, context) =>
      asFreshAdministrator(context, (viewer) => revokeUserSessions(context.app, context.caller, viewer, input)),
  }),
);

const ResetUserFactorsInput = builder.inputType('ResetUserFactorsInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

const ResetUserFactorsResultType = resultUnion<ResetUserFactorsResult | NoAdministrator>()('ResetUserFactorsResult', {
  UserAdministered: UserAdministeredType,
  OwnAccount: OwnAccountType,
  NotFound: NotFoundType,
  ...barred,
});

builder.mutationField('resetUserFactors', (t) =>
  t.field({
    type: ResetUserFactorsResultType,
    description:
      'For administrators. Takes every second factor of this person away, and ends every session of theirs. They are told by mail.',
    args: { input: t.arg({ type: ResetUserFactorsInput, required: true }) },
    resolve: (_root, { input }, context) =>
      asFreshAdministrator(context, (viewer) => resetUserFactors(context.app, context.caller, viewer, input)),
  }),
);

const DeleteUserInput = builder.inputType('DeleteUserInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

const DeleteUserResultType = resultUnion<DeleteUserResult | NoAdministrator>()('DeleteUserResult', {
  UserDeleted: UserDeletedType,
  LastAdministrator: LastAdministratorType,
  NotFound: NotFoundType,
  ...barred,
});

builder.mutationField('deleteUser', (t) =>
  t.field({
    type: DeleteUserResultType,
    description: 'For administrators. Removes this person and everything that is theirs, for good.',
    args: { input: t.arg({ type: DeleteUserInput, required: true }) },
    resolve: (_root, { input }, context) =>
      asFreshAdministrator(context, (viewer) => deleteUser(context.app, context.caller, viewer, input)),
  }),
);
