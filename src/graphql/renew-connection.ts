import { type ConnectionRenewed, type RenewConnectionResult, renewConnection } from '../flows/renew-connection.ts';
import { builder } from './builder.ts';
import { InvalidRequest } from './errors.ts';
import { RateLimitedType, UnauthenticatedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';
import { SessionType } from './session.ts';

const RenewConnectionInput = builder.inputType('RenewConnectionInput', {
  fields: (t) => ({
    token: t.string({ required: true, description: 'A session token or an access token of the same person.' }),
  }),
});

const ConnectionRenewedType = builder.objectRef<ConnectionRenewed>('ConnectionRenewed').implement({
  fields: (t) => ({
    session: t.field({ type: SessionType, resolve: ({ session }) => ({ ...session, current: true }) }),
  }),
});

const RenewConnectionResultType = resultUnion<RenewConnectionResult>()('RenewConnectionResult', {
  ConnectionRenewed: ConnectionRenewedType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('renewConnection', (t) =>
  t.field({
    type: RenewConnectionResultType,
    description:
      'Over a WebSocket: puts a newer credential behind it before the older one ends. Its subscriptions go on.',
    args: { input: t.arg({ type: RenewConnectionInput, required: true }) },
    resolve: (_root, { input }, { app, connection }) => {
      if (!connection) throw new InvalidRequest('NO_CONNECTION', 'This goes over the WebSocket that it is about.');
      return renewConnection(app, connection, input);
    },
  }),
);
