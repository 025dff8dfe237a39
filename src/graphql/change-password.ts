import { type ChangePasswordResult, changePassword, type PasswordChanged } from '../flows/change-password.ts';
import type { ReauthenticationRequired } from '../flows/shared/outcomes.ts';
import { builder } from './builder.ts';
import { freshlySignedIn } from './guard.ts';
import { Credential, deliver } from './login.ts';
import {
  InvalidCredentialsType,
  PasswordRejectedType,
  RateLimitedType,
  ReauthenticationRequiredType,
  UnauthenticatedType,
} from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const ChangePasswordInput = builder.inputType('ChangePasswordInput', {
  fields: (t) => ({
    currentPassword: t.string({ description: 'Left out only by a person who has none yet.' }),
    newPassword: t.string({ required: true }),
  }),
});

const PasswordChangedType = builder.objectRef<PasswordChanged>('PasswordChanged').implement({
  description: 'Every other session of this person has ended; the current one goes on with this new credential.',
  fields: (t) => ({
    sessionsEnded: t.exposeInt('sessionsEnded'),
    credential: t.field({ type: Credential, resolve: ({ issued }) => issued }),
  }),
});

type Result = ChangePasswordResult | ReauthenticationRequired;
const ChangePasswordResultType = resultUnion<Result>()('ChangePasswordResult', {
  PasswordChanged: PasswordChangedType,
  InvalidCredentials: InvalidCredentialsType,
  PasswordRejected: PasswordRejectedType,
  ReauthenticationRequired: ReauthenticationRequiredType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('changePassword', (t) =>
  t.field({
    type: ChangePasswordResultType,
    description: 'Changes the password, or sets the first one.',
    args: { input: t.arg({ type: ChangePasswordInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver<Result>(
        context,
        await freshlySignedIn(context, (viewer) => changePassword(context.app, context.caller, viewer, input)),
      ),
  }),
);
