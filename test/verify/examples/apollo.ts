import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { forApollo, type Identity } from '../../../src/verify/index.ts';
import { verifier } from './verifier.ts';

export const apollo = new ApolloServer<{ identity: Identity }>({
  typeDefs: 'type Query { me: String }',
  resolvers: {
    Query: { me: (_root, _args, { identity }) => (identity.kind === 'Identified' ? identity.userId : null) },
  },
});
export const { url } = await startStandaloneServer(apollo, { context: forApollo(verifier), listen: { port: 0 } });
