import { type CreateUserResult, createUser } from '../flows/create-user.ts';
import type { NoAdministrator } from '../flows/shared/administrator.ts';
import { AccountType } from './accounts.ts';
import { barred } from './administer-user.ts';
import { builder } from './builder.ts';
import { asFreshAdministrator } from './guard.ts';
import { InvalidInputType, PasswordRejectedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

type UserCreated = Extract<CreateUserResult, { kind: 'UserCreated' }>;

const CreateUserInput = builder.inputType('CreateUserInput', {
  fields: (t) => ({
    email: t.string({ required: true }),
    emailVerified: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Whether the administrator knows that the mailbox is theirs.',
    }),
    username: t.string(),
    name: t.string(),
    roles: t.stringList({ required: true, defaultValue: [] }),
    password: t.string({
      description: 'To be replaced at the first login. Without one, a mail has the link to choose it.',
    }),
  }),
});

const UserCreatedType = builder.objectRef<UserCreated>('UserCreated').implement({
  fields: (t) => ({ user: t.field({ type: AccountType, resolve: ({ user }) => user }) }),
});

const CreateUserResultType = resultUnion<CreateUserResult | NoAdministrator>()('CreateUserResult', {
  UserCreated: UserCreatedType,
  InvalidInput: InvalidInputType,
  PasswordRejected: PasswordRejectedType,
  ...barred,
});

builder.mutationField('createUser', (t) =>
  t.field({
    type: CreateUserResultType,
    description: 'For administrators. Makes an account for somebody, who is not logged in by that.',
    args: { input: t.arg({ type: CreateUserInput, required: true }) },
    resolve: (_root, { input }, context) =>
      asFreshAdministrator(context, (viewer) => createUser(context.app, context.caller, viewer, input)),
  }),
);
