import { type AccessTokenIssued, issueAccessToken } from '../flows/issue-access-token.ts';
import type { Unauthenticated } from '../flows/shared/outcomes.ts';
import { builder } from './builder.ts';
import { signedIn } from './guard.ts';
import { UnauthenticatedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const AccessTokenIssuedType = builder.objectRef<AccessTokenIssued>('AccessTokenIssued').implement({
  fields: (t) => ({
    accessToken: t.exposeString('accessToken'),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
  }),
});

const IssueAccessTokenResultType = resultUnion<AccessTokenIssued | Unauthenticated>()('IssueAccessTokenResult', {
  AccessTokenIssued: AccessTokenIssuedType,
  Unauthenticated: UnauthenticatedType,
});

builder.mutationField('issueAccessToken', (t) =>
  t.field({
    type: IssueAccessTokenResultType,
    description: 'A short-lived JWT for calling other services, from whatever credential the request carries.',
    resolve: async (_root, _args, context) => signedIn(context, (viewer) => issueAccessToken(context.app, viewer)),
  }),
);
