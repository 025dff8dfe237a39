import { readFileSync } from 'node:fs';
import { buildSchema, parse, visit } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  compose,
  type FederatedGraph,
  POSTERN_SDL,
  POSTS_SDL,
  type Post,
  startFederatedGraph,
} from '../support/federation.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { cookieOf, LOG_IN, newPerson, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_ALLOWED_ORIGINS: 'https://app.example.com' } });
});
afterAll(() => gateway.stop());

describe('schema.graphql', () => {
  test('composes with another subgraph, and User has the fields of both', () => {
    const { publicSdl, errors } = compose({ postern: POSTERN_SDL, posts: POSTS_SDL });
    expect(errors).toBeUndefined();
    const user = /^type User \{[^}]*\}/m.exec(publicSdl ?? '')?.[0];
    expect(user).toContain('displayName: String!');
    expect(user).toContain('posts: [Post!]!');
    expect(publicSdl).not.toMatch(/_entities|_service|_Any/);
  });

  test('is built by tools that know nothing of federation, and declares each directive, for those that do not know @oneOf', () => {
    expect(buildSchema(POSTERN_SDL).getDirective('key')).toBeDefined();
    const seen = { declared: new Set<string>(), used: new Set<string>() };
    visit(parse(POSTERN_SDL), {
      DirectiveDefinition: ({ name }) => void seen.declared.add(name.value),
      Directive: ({ name }) => void seen.used.add(name.value),
    });
    expect(seen.used).toEqual(seen.declared);
  });

  test('is what _service tells, where introspection is on', async () => {
    const { result } = await gateway.client().send('{ _service { sdl } }');
    expect(result.sdl).toBe(POSTERN_SDL);
  });

  test('shares scalars and interfaces with other subgraphs, and no object', () => {
    const beside = (more: string) => compose({ postern: POSTERN_SDL, posts: `${POSTS_SDL} scalar DateTime ${more}` });
    const merged = beside(`
      interface Problem { message: String! }
      type PostNotFound implements Problem { message: String!, at: DateTime! }
      extend type Query { post: PostNotFound! }`);
    expect(merged.errors).toBeUndefined();
    // Without a word, as the page warns.
    const cut = beside('input UpdateProfileInput { name: String } extend type Query { x(x: UpdateProfileInput): Int }');
    expect(cut.publicSdl).toMatch(/^input UpdateProfileInput \{\s*name: String\s*\}/m);
    for (const name of ['NotFound', 'Session', 'Provider']) {
      const field = name === 'NotFound' ? 'message: String!' : 'id: ID!';
      const { errors } = beside(`type ${name} { ${field} } extend type Query { mine: ${name}! }`);
      expect(errors?.map(({ extensions }) => extensions.code)).toContain('INVALID_FIELD_SHARING');
    }
  });
});

describe('behind a gateway, with the headers passed on as the page says', () => {
  const CURRENT = `{ currentUser {
    __typename
    ... on User { id displayName posts { title author { displayName } } }
    ... on Unauthenticated { reason }
  } }`;
  const POSTS = '{ posts { title author { id displayName } } }';

  let graph: FederatedGraph;
  const posts: Post[] = [];
  beforeAll(async () => {
    graph = await startFederatedGraph(gateway.url, () => posts, await configOfReadme());
  });
  afterAll(() => graph.close());

  /** Somebody who wrote one post. */
  async function author(title: string) {
    const held = await signUp(gateway.client(), newPerson());
    posts.push({ title, author: { id: held.userId } });
    return { ...held, client: graph.client().bearing(held.token) };
  }

  test('somebody logged in is joined with what is theirs, both ways', async () => {
    const ada = await author('Note G');
    const { result } = await ada.client.send(CURRENT);
    const { displayName } = result;
    expect(result).toEqual({
      ...{ __typename: 'User', id: ada.userId, displayName: expect.stringMatching(/^ada/) },
      posts: [{ title: 'Note G', author: { displayName } }],
    });
  });

  test('people who ask at once each see themselves', async () => {
    const people = await Promise.all(['One', 'Two', 'Three'].map(author));
    const answers = await Promise.all(people.map(({ client }) => client.send(CURRENT)));
    expect(answers.map(({ result }) => result.id)).toEqual(people.map(({ userId }) => userId));
  });

  test('nobody is Unauthenticated', async () => {
    const { result } = await graph.client().send(CURRENT);
    expect(result).toEqual({ __typename: 'Unauthenticated', reason: 'NO_CREDENTIAL' });
  });

  test('of somebody else nothing of Postern is told, while the post and the id stay', async () => {
    const [ada, charles] = [await author('On the engine'), await author('Passages')];
    const byTitle = async (query: string) =>
      new Map(((await ada.client.send(query)).result as unknown as Post[]).map((post) => [post.title, post.author]));
    const seen = await byTitle(POSTS);
    expect(seen.get('On the engine')).toMatchObject({ id: ada.userId });
    expect(seen.get('Passages')).toBeNull();
    expect((await byTitle('{ posts { title author { id } } }')).get('Passages')).toEqual({ id: charles.userId });
  });

  test('a mutation goes through, with what it changed joined', async () => {
    const { client } = await author('Bernoulli numbers');
    const { result } = await client.send(`mutation { updateProfile(input: { name: "Ada" }) {
      __typename ... on ProfileUpdated { user { displayName posts { title } } } } }`);
    expect(result).toEqual({
      __typename: 'ProfileUpdated',
      user: { displayName: 'Ada', posts: [{ title: 'Bernoulli numbers' }] },
    });
  });

  test('the cookie of a browser goes both ways, and works on pages of allowed origins alone', async () => {
    const person = newPerson();
    const { userId } = await signUp(gateway.client(), person);
    const page = graph.client({ origin: 'https://app.example.com' });
    const answer = await page.send(LOG_IN, { input: { ...person, credential: 'COOKIE' } });
    const cookie = `postern=${cookieOf(answer, 'postern')}`;
    expect((await page.with({ cookie }).send(CURRENT)).result.id).toBe(userId);
    const elsewhere = await graph.client({ cookie, origin: 'https://evil.example' }).send(CURRENT);
    expect(elsewhere.text).not.toContain(userId);
    expect(elsewhere.errors).not.toEqual([]);
  });
});

/** The configuration of Hive Gateway, as operators copy it. */
async function configOfReadme() {
  const [, block = ''] =
    /In `gateway.config.js`[^`]*```js\n([\s\S]*?)```/.exec(readFileSync('docs/federation.md', 'utf8')) ?? [];
  return (await import(`data:text/javascript,${encodeURIComponent(block)}`)).gatewayConfig;
}
