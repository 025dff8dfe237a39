import { type ProfileUpdated, type UpdateProfileResult, updateProfile } from '../flows/update-profile.ts';
import { builder } from './builder.ts';
import { signedIn } from './guard.ts';
import { InvalidInputType, RateLimitedType, UnauthenticatedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';
import { UserType } from './user.ts';
import { givenFields } from './user-fields.ts';

const UpdateProfileInput = builder.inputType('UpdateProfileInput', {
  description: 'What is left out stays; null or an empty text takes it away.',
  fields: (t) => ({ name: t.string(), username: t.string() }),
});

const ProfileUpdatedType = builder.objectRef<ProfileUpdated>('ProfileUpdated').implement({
  fields: (t) => ({
    user: t.field({ type: UserType, resolve: ({ user, session }) => ({ ...user, currentSessionId: session.id }) }),
  }),
});

const UpdateProfileResultType = resultUnion<UpdateProfileResult>()('UpdateProfileResult', {
  ProfileUpdated: ProfileUpdatedType,
  InvalidInput: InvalidInputType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('updateProfile', (t) =>
  t.field({
    type: UpdateProfileResultType,
    description: 'Changes what the person is called: all of it, or nothing.',
    args: { input: t.arg({ type: UpdateProfileInput, required: true }) },
    resolve: (_root, { input }, context) =>
      signedIn(context, (viewer) =>
        updateProfile(context.app, context.caller, viewer, { ...input, fields: givenFields(context, input) }),
      ),
  }),
);
