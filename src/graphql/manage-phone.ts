import {
  type PhoneRemoved,
  type RemovePhoneResult,
  removePhone,
  type SetPhoneResult,
  setPhone,
} from '../flows/manage-phone.ts';
import type { ReauthenticationRequired } from '../flows/shared/outcomes.ts';
import { builder } from './builder.ts';
import { freshlySignedIn } from './guard.ts';
import {
  CodeSentType,
  InvalidInputType,
  LastLoginMethodType,
  NotFoundType,
  RateLimitedType,
  ReauthenticationRequiredType,
  UnauthenticatedType,
} from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const SetPhoneInput = builder.inputType('SetPhoneInput', {
  fields: (t) => ({ phone: t.string({ required: true }) }),
});

const SetPhoneResultType = resultUnion<SetPhoneResult | ReauthenticationRequired>()('SetPhoneResult', {
  CodeSent: CodeSentType,
  InvalidInput: InvalidInputType,
  ReauthenticationRequired: ReauthenticationRequiredType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('setPhone', (t) =>
  t.field({
    type: SetPhoneResultType,
    description:
      'Sends a code to a number, which verifyPhone takes; until then the one before stays. CodeSent also when it belongs to somebody else, who is told.',
    args: { input: t.arg({ type: SetPhoneInput, required: true }) },
    resolve: (_root, { input }, context) =>
      freshlySignedIn(context, (viewer) => setPhone(context.app, context.caller, viewer, input)),
  }),
);

const PhoneRemovedType = builder.objectRef<PhoneRemoved>('PhoneRemoved').implement({
  fields: (t) => ({ number: t.exposeString('number') }),
});

const RemovePhoneResultType = resultUnion<RemovePhoneResult | ReauthenticationRequired>()('RemovePhoneResult', {
  PhoneRemoved: PhoneRemovedType,
  NotFound: NotFoundType,
  LastLoginMethod: LastLoginMethodType,
  ReauthenticationRequired: ReauthenticationRequiredType,
  Unauthenticated: UnauthenticatedType,
});

builder.mutationField('removePhone', (t) =>
  t.field({
    type: RemovePhoneResultType,
    description: 'Removes the number, unless nothing else is left to log in with.',
    resolve: (_root, _args, context) =>
      freshlySignedIn(context, (viewer) => removePhone(context.app, context.caller, viewer)),
  }),
);
