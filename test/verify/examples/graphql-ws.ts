import { useServer } from 'graphql-ws/use/ws';
import { createSchema } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import { forGraphqlWs, type Identity } from '../../../src/verify/index.ts';
import { verifier } from './verifier.ts';

const schema = createSchema<{ identity: Identity }>({
  typeDefs: 'type Query { me: String }',
  resolvers: {
    Query: { me: (_root, _args, { identity }) => (identity.kind === 'Identified' ? identity.userId : null) },
  },
});
export const server = new WebSocketServer({ port: 0, path: '/graphql' });
useServer({ schema, ...forGraphqlWs(verifier) }, server);
