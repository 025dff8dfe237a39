import { createSchema, createYoga } from 'graphql-yoga';
import { forYoga, type Identity } from '../../../src/verify/index.ts';
import { verifier } from './verifier.ts';

export const yoga = createYoga<{ identity: Identity }>({
  plugins: [forYoga(verifier)],
  schema: createSchema<{ identity: Identity }>({
    typeDefs: 'type Query { me: String }',
    resolvers: {
      Query: { me: (_root, _args, { identity }) => (identity.kind === 'Identified' ? identity.userId : null) },
    },
  }),
});
