import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSchema, createYoga } from 'graphql-yoga';
import { answer } from './messages.ts';

/** Servers that do nothing but answer a constant of the shape of `currentUser`: what is to be measured against. */
export interface BareTask {
  readonly kind: 'yoga' | 'node';
}

const USER = {
  __typename: 'User',
  id: '0b6f1c3e-5b8e-4f43-9d52-3c4a8f6b7d10',
  email: 'ada.1234@example.com',
  hasMfa: false,
};

const typeDefs = /* GraphQL */ `
  type User {
    id: ID!
    email: String
    hasMfa: Boolean!
  }
  type Unauthenticated {
    message: String!
  }
  union CurrentUserResult = User | Unauthenticated
  type Query {
    currentUser: CurrentUserResult!
  }
`;

// What the gateway switches off is off here as well.
const yoga = createYoga({
  schema: createSchema({ typeDefs, resolvers: { Query: { currentUser: () => USER } } }),
  landingPage: false,
  graphiql: false,
  batching: false,
  multipart: false,
  cors: false,
  logging: false,
  maskedErrors: false,
});

async function serve({ kind }: BareTask): Promise<number> {
  const constant = JSON.stringify({ data: { currentUser: USER } });
  const server =
    kind === 'yoga'
      ? createServer(yoga)
      : createServer((_request, response) => {
          response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': constant.length });
          response.end(constant);
        });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

answer(serve);
