import {
  type AddEmailResult,
  addEmail,
  type EmailsChanged,
  type PrimaryEmailKept,
  type RemoveEmailResult,
  removeEmail,
  type SendEmailVerificationResult,
  type SetPrimaryEmailResult,
  sendEmailVerification,
  setPrimaryEmail,
} from '../flows/manage-emails.ts';
import type { ReauthenticationRequired } from '../flows/shared/outcomes.ts';
import { UserEmailType } from './account.ts';
import { builder } from './builder.ts';
import { freshlySignedIn, signedIn } from './guard.ts';
import {
  CodeSentType,
  EmailNotVerifiedType,
  InvalidInputType,
  NotFoundType,
  RateLimitedType,
  ReauthenticationRequiredType,
  UnauthenticatedType,
} from './outcomes.ts';
import { Problem } from './problems.ts';
import { resultUnion } from './result-union.ts';

const EmailsChangedType = builder.objectRef<EmailsChanged>('EmailsChanged').implement({
  fields: (t) => ({ emails: t.field({ type: [UserEmailType], resolve: ({ emails }) => [...emails] }) }),
});

const PrimaryEmailKeptType = builder.objectRef<PrimaryEmailKept>('PrimaryEmailKept').implement({
  description: 'The primary address cannot be removed; choose another one first.',
  interfaces: [Problem],
});

const AddEmailInput = builder.inputType('AddEmailInput', {
  fields: (t) => ({ email: t.string({ required: true }) }),
});

const AddEmailResultType = resultUnion<AddEmailResult | ReauthenticationRequired>()('AddEmailResult', {
  CodeSent: CodeSentType,
  InvalidInput: InvalidInputType,
  ReauthenticationRequired: ReauthenticationRequiredType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('addEmail', (t) =>
  t.field({
    type: AddEmailResultType,
    description:
      'Adds an address, unverified, and sends what verifyEmail takes. CodeSent also when it belongs to somebody else, who is told by mail.',
    args: { input: t.arg({ type: AddEmailInput, required: true }) },
    resolve: (_root, { input }, context) =>
      freshlySignedIn(context, (viewer) => addEmail(context.app, context.caller, viewer, input)),
  }),
);

const SendEmailVerificationInput = builder.inputType('SendEmailVerificationInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

const SendEmailVerificationResultType = resultUnion<SendEmailVerificationResult>()('SendEmailVerificationResult', {
  CodeSent: CodeSentType,
  NotFound: NotFoundType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('sendEmailVerification', (t) =>
  t.field({
    type: SendEmailVerificationResultType,
    description: 'Sends once more what verifyEmail takes, to an address of the person that is not verified.',
    args: { input: t.arg({ type: SendEmailVerificationInput, required: true }) },
    resolve: (_root, { input }, context) =>
      signedIn(context, (viewer) => sendEmailVerification(context.app, context.caller, viewer, input)),
  }),
);

const SetPrimaryEmailInput = builder.inputType('SetPrimaryEmailInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

const SetPrimaryEmailResultType = resultUnion<SetPrimaryEmailResult | ReauthenticationRequired>()(
  'SetPrimaryEmailResult',
  {
    EmailsChanged: EmailsChangedType,
    NotFound: NotFoundType,
    EmailNotVerified: EmailNotVerifiedType,
    ReauthenticationRequired: ReauthenticationRequiredType,
    Unauthenticated: UnauthenticatedType,
    RateLimited: RateLimitedType,
  },
);

builder.mutationField('setPrimaryEmail', (t) =>
  t.field({
    type: SetPrimaryEmailResultType,
    description: 'Makes a verified address the primary one. The old and the new one are told.',
    args: { input: t.arg({ type: SetPrimaryEmailInput, required: true }) },
    resolve: (_root, { input }, context) =>
      freshlySignedIn(context, (viewer) => setPrimaryEmail(context.app, context.caller, viewer, input)),
  }),
);

const RemoveEmailInput = builder.inputType('RemoveEmailInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

const RemoveEmailResultType = resultUnion<RemoveEmailResult | ReauthenticationRequired>()('RemoveEmailResult', {
  EmailsChanged: EmailsChangedType,
  NotFound: NotFoundType,
  PrimaryEmailKept: PrimaryEmailKeptType,
  ReauthenticationRequired: ReauthenticationRequiredType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('removeEmail', (t) =>
  t.field({
    type: RemoveEmailResultType,
    description: 'Removes an address that is not the primary one.',
    args: { input: t.arg({ type: RemoveEmailInput, required: true }) },
    resolve: (_root, { input }, context) =>
      freshlySignedIn(context, (viewer) => removeEmail(context.app, context.caller, viewer, input)),
  }),
);
