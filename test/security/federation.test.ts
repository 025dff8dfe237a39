import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Answer, GraphQLClient } from '../support/client.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { type CredentialKind, newPerson, signUp } from '../support/people.ts';
import { recordStatements, type Statements } from '../support/statements.ts';

const ENTITIES = `query Entities($representations: [_Any!]!) {
  _entities(representations: $representations) { __typename ... on User { id email displayName hasPassword } }
}`;

let gateway: Gateway;
let statements: Statements;
beforeAll(async () => {
  gateway = await startGateway();
  statements = recordStatements(gateway);
});
afterAll(() => gateway.stop());

const user = (id: unknown) => ({ __typename: 'User', id });

function entities(client: GraphQLClient, ...representations: unknown[]): Promise<Answer> {
  return client.send(ENTITIES, { representations });
}

/** Sees to it that work takes no SQL, as soon as the sessions that it shows are remembered. */
async function withoutSql<R>(work: () => Promise<R>): Promise<R> {
  return vi.waitFor(async () => {
    statements.take();
    const done = await work();
    expect(statements.take()).toEqual([]);
    return done;
  });
}

test.each<CredentialKind>(['COOKIE', 'SESSION_TOKEN', 'JWT'])(
  'whoever asks with a %s is told of themselves, as by currentUser, and without SQL',
  async (kind) => {
    const person = newPerson();
    const { client, userId } = await signUp(gateway.client(), person, kind);
    const twice = [user(userId), { ...user(userId), email: 'made@up.example' }];
    const { result } = await withoutSql(() => entities(client, ...twice));
    const self = { ...user(userId), email: person.email, displayName: expect.any(String), hasPassword: true };
    expect(result).toEqual([self, self]);
  },
);

test('of anybody else nothing is told, nor whether they exist (defence: the comparison with the viewer in isNamedBy)', async () => {
  const [ada, eve] = [await signUp(gateway.client(), newPerson()), await signUp(gateway.client(), newPerson())];
  const others = [ada.userId, randomUUID(), 'x', ''];
  const answers = await withoutSql(() => Promise.all(others.map((id) => entities(eve.client, user(id)))));
  expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['{"data":{"_entities":[null]}}']));
  const { result } = await entities(eve.client, user(ada.userId), user(eve.userId), user(randomUUID()));
  expect(result).toMatchObject([null, { id: eve.userId }, null]);
});

test('nobody is told of anybody (defence: the guard, signedIn)', async () => {
  const { userId, client } = await signUp(gateway.client(), newPerson());
  await client.send('mutation { logOut { __typename } }');
  for (const each of [gateway.client(), gateway.client().bearing('garbage'), client]) {
    const { text } = await entities(each, user(userId), user(randomUUID()), user(undefined));
    expect(text).toBe('{"data":{"_entities":[null,null,null]}}');
  }
});

test('what names nobody is null, and what is no list of names a refusal (defence: both comparisons in isNamedBy)', async () => {
  const { client, userId } = await signUp(gateway.client(), newPerson());
  const nobody = [
    ...[{}, [], '', 'User', 0, true, { id: userId }, { __typename: 'User' }, userId, [user(userId)]],
    ...[user(null), user([userId]), user({ id: userId }), user({ toString: userId }), user(0), user(true)],
    ...['Session', 'user', 'Query', '_Entity', '__proto__', null, ['User']].map((__typename) => ({
      __typename,
      id: userId,
    })),
    ...[user(` ${userId}`), user(userId.toUpperCase()), { user: user(userId) }, { 0: user(userId) }],
    JSON.parse(`{ "__proto__": { "__typename": "User", "id": "${userId}" } }`),
  ];
  for (const each of nobody) {
    const { status, text } = await entities(client, each);
    expect([status, text]).toEqual([200, '{"data":{"_entities":[null]}}']);
  }
  for (const representations of [null, [null], [user(userId), null], undefined]) {
    const { status, text } = await client.send(ENTITIES, { representations });
    expect(status).toBe(400);
    expect(text).not.toContain(userId);
  }
});

test('the same holds for names that stand in the document', async () => {
  const { client, userId } = await signUp(gateway.client(), newPerson());
  const send = (list: string) => {
    const variables = list.includes('$id') ? '($id: ID)' : '';
    return client.send(`query Q${variables} { _entities(representations: ${list}) { ... on User { id } } }`, {
      id: userId,
    });
  };
  const own = `__typename: "User", id: "${userId}"`;
  const self = { id: userId };
  expect((await send(`[{ ${own} }, { __typename: "User", id: $id }]`)).result).toEqual([self, self]);
  expect((await send(`{ ${own} }`)).result).toEqual([self]);
  const nobody = ['{}', '[[]]', '"x"', '1', 'User', `{ __typename: "User", id: ["${userId}"] }`, `[[{ ${own} }]]`];
  for (const each of nobody) expect((await send(`[${each}]`)).result).toEqual([null]);
  for (const each of ['null', '[null]', '[$id]', '$id']) {
    const { status, errors, text } = await send(each);
    expect([status < 500, errors.length, text.includes(userId)]).toEqual([true, 1, false]);
  }
});

const TOO_MANY = { status: 400, errors: [{ extensions: { code: 'LIMIT_EXCEEDED' } }] };

test('a hundred are answered, and one more is refused (defence: LIMITS.representations)', async () => {
  const { client, userId } = await signUp(gateway.client(), newPerson());
  const strangers = Array.from({ length: 100 }, () => user(randomUUID()));
  expect((await entities(client, ...strangers)).result).toHaveLength(100);
  expect(await entities(client, ...strangers.slice(1), {}, user(userId))).toMatchObject(TOO_MANY);
  const written = (count: number) => `{ _entities(representations: [${'{}'.repeat(count)}]) { __typename } }`;
  expect((await client.send(written(100))).result).toHaveLength(100);
  for (const each of [client, gateway.client()]) expect(await each.send(written(101))).toMatchObject(TOO_MANY);
});

test('whoever names themselves again and again gets no more than by aliases (defence: isMoreThanAliasesCould)', async () => {
  const { client, userId } = await signUp(gateway.client(), newPerson());
  const ask = (times: number, selection: string, fragments = '') =>
    client.send(
      `query Q($all: [_Any!]!) { _entities(representations: $all) { ... on User { ${selection} } } } ${fragments}`,
      { all: Array.from({ length: times }, () => user(userId)) },
    );
  const aliases = (count: number) => Array.from({ length: count }, (_, index) => `a${index}: id`).join(' ');
  expect((await ask(16, 'id')).result).toHaveLength(16);
  expect((await ask(1, aliases(15))).result).toHaveLength(1);
  expect((await ask(4, aliases(3))).result).toHaveLength(4);
  expect(await ask(17, 'id')).toMatchObject(TOO_MANY);
  expect(await ask(2, aliases(15))).toMatchObject(TOO_MANY);
  expect(await ask(5, '...F', `fragment F on User { ${aliases(3)} }`)).toMatchObject(TOO_MANY);
});
