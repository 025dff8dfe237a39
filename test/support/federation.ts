import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGatewayRuntime, type GatewayConfig } from '@graphql-hive/gateway-runtime';
import http from '@graphql-mesh/transport-http';
import { composeServices } from '@theguild/federation-composition';
import { parse } from 'graphql';
import { createSchema, createYoga } from 'graphql-yoga';
import { GraphQLClient } from './client.ts';

/** What composers are given of Postern. */
export const POSTERN_SDL = readFileSync('schema.graphql', 'utf8');

const LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.0", import: ["@key"])';

const POSTS = `
  type Query { posts: [Post!]! }
  type Post { title: String!, author: User }`;

/** What composers are given of the subgraph beside it. */
export const POSTS_SDL = `${LINK} ${POSTS} type User @key(fields: "id") { id: ID!, posts: [Post!]! }`;

export interface Post {
  readonly title: string;
  readonly author: { readonly id: string };
}

/** Something that listens, until it is closed. */
interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

/** A gateway in front of Postern and a subgraph of posts. */
export interface FederatedGraph extends Listening {
  client(headers?: Record<string, string>): GraphQLClient;
}

/** The supergraph of subgraphs, given by name, or why there is none. */
export function compose(subgraphs: Readonly<Record<string, string>>, urls: Readonly<Record<string, string>> = {}) {
  return composeServices(
    Object.entries(subgraphs).map(([name, sdl]) => ({ name, url: urls[name] ?? '', typeDefs: parse(sdl) })),
  );
}

/**
 * Starts a Hive Gateway in front of a Postern and of posts, each listening for itself.
 * @param config what an operator writes of how headers are passed on
 */
export async function startFederatedGraph(
  posternUrl: string,
  posts: () => readonly Post[],
  config: Pick<GatewayConfig, 'propagateHeaders'>,
): Promise<FederatedGraph> {
  const beside = await listen(postsSubgraph(posts));
  const urls = { postern: `${posternUrl}/graphql`, posts: `${beside.url}/graphql` };
  const { supergraphSdl, errors } = compose({ postern: POSTERN_SDL, posts: POSTS_SDL }, urls);
  if (!supergraphSdl) throw new Error(`no supergraph: ${errors?.join()}`);
  const runtime = createGatewayRuntime({ supergraph: supergraphSdl, transports: { http }, logging: false, ...config });
  const front = await listen(runtime);
  return {
    url: front.url,
    client: (headers = {}) => new GraphQLClient(front.url, headers),
    async close() {
      await front.close();
      await runtime[Symbol.asyncDispose]();
      await beside.close();
    },
  };
}

function postsSubgraph(posts: () => readonly Post[]): RequestListener {
  const typeDefs = `
    ${POSTS}
    type User { id: ID!, posts: [Post!]! }
    union _Entity = User
    scalar _Any
    extend type Query { _entities(representations: [_Any!]!): [_Entity]! }`;
  const resolvers = {
    Query: {
      posts,
      _entities: (_root: unknown, { representations }: { representations: unknown[] }) => representations,
    },
    User: { posts: ({ id }: { id: string }) => posts().filter(({ author }) => author.id === id) },
  };
  return createYoga({ schema: createSchema({ typeDefs, resolvers }), logging: false });
}

async function listen(listener: RequestListener): Promise<Listening> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
