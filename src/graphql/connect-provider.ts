import {
  type BeginProviderConnectionResult,
  beginProviderConnection,
  type CompleteProviderConnectionResult,
  type ConnectionTaken,
  completeProviderConnection,
  connectionsOf,
  type DisconnectProviderResult,
  disconnectProvider,
  type ProviderConnected,
  type ProviderDisconnected,
} from '../flows/connect-provider.ts';
import type { ReauthenticationRequired, Unauthenticated } from '../flows/shared/outcomes.ts';
import { providerNamed } from '../flows/shared/provider-flow.ts';
import { builder } from './builder.ts';
import { freshlySignedIn, signedIn } from './guard.ts';
import {
  InvalidInputType,
  InvalidTokenType,
  LastLoginMethodType,
  NotFoundType,
  RateLimitedType,
  ReauthenticationRequiredType,
  UnauthenticatedType,
} from './outcomes.ts';
import { Problem } from './problems.ts';
import { ProviderFailedType, ProviderNotFoundType, ProviderRedirectType, ProviderType } from './providers.ts';
import { resultUnion } from './result-union.ts';
import { UserType } from './user.ts';

export const SocialConnectionType = builder.objectRef<ProviderConnected['connection']>('SocialConnection').implement({
  description: 'An account at a provider that logs in to this account.',
  fields: (t) => ({
    id: t.exposeID('id'),
    provider: t.field({ type: ProviderType, resolve: ({ provider }, _args, { app }) => providerNamed(app, provider) }),
    displayName: t.exposeString('displayName', {
      description: 'How the provider names this person: a name, else an address.',
    }),
    email: t.exposeString('email', { nullable: true }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    lastUsedAt: t.expose('lastUsedAt', { type: 'DateTime', nullable: true }),
  }),
});

builder.objectField(UserType, 'connections', (t) =>
  t.field({
    type: [SocialConnectionType],
    description: 'The accounts at providers that log in to this one, the oldest first.',
    resolve: (user, _args, { app }) => connectionsOf(app, user),
  }),
);

const BeginProviderConnectionInput = builder.inputType('BeginProviderConnectionInput', {
  fields: (t) => ({
    provider: t.id({ required: true }),
    redirectUrl: t.string({ required: true, description: 'As for beginProviderLogin.' }),
  }),
});

const BeginProviderConnectionResultType = resultUnion<
  BeginProviderConnectionResult | ReauthenticationRequired | Unauthenticated
>()('BeginProviderConnectionResult', {
  ProviderRedirect: ProviderRedirectType,
  ProviderNotFound: ProviderNotFoundType,
  ProviderFailed: ProviderFailedType,
  InvalidInput: InvalidInputType,
  ReauthenticationRequired: ReauthenticationRequiredType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('beginProviderConnection', (t) =>
  t.field({
    type: BeginProviderConnectionResultType,
    description: 'Begins to add an account at a provider as a way to log in.',
    args: { input: t.arg({ type: BeginProviderConnectionInput, required: true }) },
    resolve: (_root, { input }, context) =>
      freshlySignedIn(context, (viewer) => beginProviderConnection(context.app, context.caller, viewer, input)),
  }),
);

const ProviderConnectedType = builder.objectRef<ProviderConnected>('ProviderConnected').implement({
  fields: (t) => ({ connection: t.field({ type: SocialConnectionType, resolve: ({ connection }) => connection }) }),
});

const ConnectionTakenType = builder.objectRef<ConnectionTaken>('ConnectionTaken').implement({
  description: "Somebody else's account is connected to it.",
  interfaces: [Problem],
});

const CompleteProviderConnectionInput = builder.inputType('CompleteProviderConnectionInput', {
  fields: (t) => ({ flowToken: t.string({ required: true }), code: t.string({ required: true }) }),
});

const CompleteProviderConnectionResultType = resultUnion<CompleteProviderConnectionResult>()(
  'CompleteProviderConnectionResult',
  {
    ProviderConnected: ProviderConnectedType,
    ConnectionTaken: ConnectionTakenType,
    ProviderFailed: ProviderFailedType,
    InvalidToken: InvalidTokenType,
    Unauthenticated: UnauthenticatedType,
    RateLimited: RateLimitedType,
  },
);

builder.mutationField('completeProviderConnection', (t) =>
  t.field({
    type: CompleteProviderConnectionResultType,
    description: 'Ends what beginProviderConnection began, in the same session. It works once.',
    args: { input: t.arg({ type: CompleteProviderConnectionInput, required: true }) },
    resolve: (_root, { input }, context) =>
      signedIn(context, (viewer) => completeProviderConnection(context.app, context.caller, viewer, input)),
  }),
);

const DisconnectProviderInput = builder.inputType('DisconnectProviderInput', {
  fields: (t) => ({ id: t.id({ required: true, description: 'Of the connection.' }) }),
});

const ProviderDisconnectedType = builder.objectRef<ProviderDisconnected>('ProviderDisconnected').implement({
  fields: (t) => ({
    connections: t.field({
      type: [SocialConnectionType],
      description: 'Those that are left.',
      resolve: ({ connections }) => [...connections],
    }),
  }),
});

const DisconnectProviderResultType = resultUnion<DisconnectProviderResult | ReauthenticationRequired>()(
  'DisconnectProviderResult',
  {
    ProviderDisconnected: ProviderDisconnectedType,
    NotFound: NotFoundType,
    LastLoginMethod: LastLoginMethodType,
    ReauthenticationRequired: ReauthenticationRequiredType,
    Unauthenticated: UnauthenticatedType,
  },
);

builder.mutationField('disconnectProvider', (t) =>
  t.field({
    type: DisconnectProviderResultType,
    description: 'Takes an account at a provider away, unless nothing else would let this person in.',
    args: { input: t.arg({ type: DisconnectProviderInput, required: true }) },
    resolve: (_root, { input }, context) =>
      freshlySignedIn(context, (viewer) => disconnectProvider(context.app, context.caller, viewer, input)),
  }),
);
