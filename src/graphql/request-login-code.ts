import { type RequestLoginCodeResult, requestLoginCode } from '../flows/request-login-code.ts';
import { builder } from './builder.ts';
import { loginPrompts } from './login.ts';
import { InvalidInputType, RateLimitedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';
import { CredentialKind } from './session.ts';

const RequestLoginCodeInput = builder.inputType('RequestLoginCodeInput', {
  fields: (t) => ({
    email: t.string(),
    phone: t.string(),
    credential: t.field({ type: CredentialKind, required: true, defaultValue: 'SESSION_TOKEN' }),
  }),
});

const RequestLoginCodeResultType = resultUnion<RequestLoginCodeResult>()('RequestLoginCodeResult', {
  LoginCodeRequired: loginPrompts.LoginCodeRequired,
  InvalidInput: InvalidInputType,
  RateLimited: RateLimitedType,
});

builder.mutationField('requestLoginCode', (t) =>
  t.field({
    type: RequestLoginCodeResultType,
    description: 'Sends a code and a link to log in with. The answer is the same whether or not there is an account.',
    args: { input: t.arg({ type: RequestLoginCodeInput, required: true }) },
    resolve: (_root, { input }, { app, caller }) => requestLoginCode(app, caller, input),
  }),
);
