import { randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import {
  buildClientSchema,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLSchema,
  getIntrospectionQuery,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredInputField,
  isScalarType,
  isUnionType,
  printSchema,
} from 'graphql';
import { serverAudits } from 'graphql-http';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { schema as builtSchema } from '../../src/graphql/schema.ts';
import { hashToken, makeToken } from '../../src/lib/secrets.ts';
import * as pendingLogins from '../../src/records/pending-logins.ts';
import { exchange, wire } from '../http/raw.ts';
import type { GraphQLClient } from '../support/client.ts';
import { readAnswer } from '../support/client.ts';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import { CURRENT_USER, LOG_IN, logIn, newPerson, SIGN_UP, signUp } from '../support/people.ts';

// The limits on attempts are tested elsewhere; here they would only hide what is looked for.
const UNLIMITED = { POSTERN_RATE_LIMITS: 'off' };
const SPEC_JSON = { accept: 'application/graphql-response+json' };

let gateway: Gateway;
/** With introspection and GraphiQL off, as in production. */
let closed: Gateway;
let schema: GraphQLSchema;

beforeAll(async () => {
  [gateway, closed] = await Promise.all([
    startGateway({ env: UNLIMITED }),
    startGateway({ env: { ...UNLIMITED, POSTERN_INTROSPECTION: 'off', POSTERN_GRAPHIQL: 'off' } }),
  ]);
  const response = await gateway.client().post(JSON.stringify({ query: getIntrospectionQuery({ oneOf: true }) }));
  schema = buildClientSchema((await response.json()).data);
});
afterAll(() => Promise.all([gateway.stop(), closed.stop()]));

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  readonly codes: readonly unknown[];
}

async function reply(response: Response): Promise<Reply> {
  const { status, headers, text, errors } = await readAnswer(response);
  return { status, headers, text, codes: errors.map(({ extensions }) => extensions?.code) };
}

/** Sends a document, and whatever else belongs into the body. */
async function ask(query: unknown, more: Record<string, unknown> = {}, headers = {}): Promise<Reply> {
  return reply(await gateway.client().post(JSON.stringify({ query, ...more }), headers));
}

/** Sends a body that is not made by JSON.stringify. */
async function askRaw(body: BodyInit, headers: Record<string, string> = {}): Promise<Reply> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body, duplex: 'half' };
  return reply(await fetch(`${gateway.url}/graphql`, init as RequestInit));
}

async function get(params: Record<string, string>, headers: Record<string, string> = {}): Promise<Reply> {
  return reply(await fetch(`${gateway.url}/graphql?${new URLSearchParams(params)}`, { headers }));
}

async function countUsers(): Promise<number> {
  const [row] = await gateway.sql<{ count: number }>('SELECT count(*)::int AS count FROM users');
  return row?.count ?? -1;
}

/** A sign-up written into the document, with somebody new. */
function signUpField(directive = ''): string {
  const { email, password } = newPerson();
  return `signUp(input: { email: "${email}", password: "${password}" }) ${directive} { __typename }`;
}

// Defence: src/http/graphql.ts, and the statuses of src/graphql/server.ts.
describe('G01: the audits of GraphQL over HTTP', () => {
  // The URL is known only once the gateway runs, the names of the audits do not depend on it.
  const audits = (url: string) => serverAudits({ url, fetchFn: fetch });

  test('there are 61 of them', () => {
    expect(audits('http://localhost')).toHaveLength(61);
  });

  test.each(audits('http://localhost').map(({ id, name }) => [id, name] as const))('%s %s', async (id) => {
    const result = await audits(`${gateway.url}/graphql`)
      .find((audit) => audit.id === id)
      ?.fn();
    expect(result, JSON.stringify(result)).toMatchObject({ status: 'ok' });
  });
});

describe('G02: GET never changes anything', () => {
  // Defence: refuseOperation in src/graphql/server.ts.
  test('a mutation by GET is a 405 that names the method to use, and runs nothing', async () => {
    const before = await countUsers();
    for (const accept of ['application/json', 'application/graphql-response+json', '*/*']) {
      const { status, headers } = await get({ query: `mutation { ${signUpField()} }` }, { accept });
      expect(status).toBe(405);
      expect(headers.get('allow')).toBe('POST');
    }
    expect(await countUsers()).toBe(before);
  });

  test('a mutation beside a query is not run by GET when operationName picks it', async () => {
    const query = `query Q { __typename } mutation M { ${signUpField()} }`;
    const before = await countUsers();
    expect((await get({ query, operationName: 'M' })).status).toBe(405);
    expect((await get({ query, operationName: 'Q' })).status).toBe(200);
    expect(await countUsers()).toBe(before);
  });

  // Defence: no persisted documents at all; the document itself is always needed.
  test('a hash instead of a document runs nothing', async () => {
    const extensions = JSON.stringify({ persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } });
    expect((await get({ extensions })).status).toBe(400);
    expect((await ask(undefined, { extensions: JSON.parse(extensions) })).status).toBe(400);
  });

  // Defence: readUrlParameters of src/http/parameters.ts.
  test.each([
    { variables: '{bad' },
    { variables: '"text"' },
    { variables: '[1]' },
    { extensions: '{bad' },
    { extensions: '1' },
  ])('unreadable parameters in the URL are a 400: %o', async (params) => {
    const answer = await get({ query: '{ __typename }', ...params });
    expect(answer.status).toBe(400);
    expect(answer.text).not.toMatch(/bad|token|JSON at position/);
  });
});

describe('G03: only JSON executes', () => {
  const TYPES = [
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
    'application/graphql+json',
    'text/plain',
    'text/plain; application/json',
    'application/jsonp',
    'application/json, text/plain',
    'application/json; charset=utf-16',
    'application/json+x',
    '*/*',
    '',
  ];

  // Defence: isJson in src/http/graphql.ts. None of these needs a preflight that we would allow.
  test.each(TYPES)('a body of type "%s" is a 415, and runs nothing', async (type) => {
    const query = `mutation { ${signUpField()} }`;
    const before = await countUsers();
    for (const body of [JSON.stringify({ query }), new URLSearchParams({ query }).toString(), query]) {
      expect((await askRaw(body, { 'content-type': type })).status).toBe(415);
    }
    expect(await countUsers()).toBe(before);
  });

  test('a body of no type at all is a 415', async () => {
    const body = JSON.stringify({ query: '{ __typename }' });
    expect((await exchange(gateway.url, wire('POST /graphql', ['Connection: close'], body))).statuses).toEqual([415]);
  });

  test.each(['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON;charset="UTF-8"'])(
    'a body of type "%s" is read',
    async (type) => {
      expect((await askRaw('{"query":"{ __typename }"}', { 'content-type': type })).status).toBe(200);
    },
  );
});

describe('G04: one operation a request', () => {
  // Defence: readParameters of src/http/parameters.ts.
  test('an array of operations is a 400, and runs none of them', async () => {
    const before = await countUsers();
    const operation = () => ({ query: `mutation { ${signUpField()} }` });
    for (const batch of [[operation()], [operation(), operation()], [], [[operation()]]]) {
      expect((await askRaw(JSON.stringify(batch))).status).toBe(400);
    }
    expect(await countUsers()).toBe(before);
  });

  test('an object with the keys of an array is no batch either', async () => {
    const before = await countUsers();
    const operation = { query: `mutation { ${signUpField()} }` };
    expect((await askRaw(JSON.stringify({ 0: operation, 1: operation, length: 2 }))).status).toBe(400);
    expect(await countUsers()).toBe(before);
  });
});

// Defence: oneMutationField in src/graphql/request-rules.ts.
describe('G05: one root field a mutation', () => {
  const one = signUpField;
  const SHAPES: Record<string, () => string> = {
    'two fields with aliases': () => `mutation { a: ${one()} b: ${one()} }`,
    'two different fields': () => `mutation { ${one()} logOut { __typename } }`,
    'the same field twice, which would merge': () => {
      const same = one();
      return `mutation { ${same} ${same} }`;
    },
    'a field and a fragment': () => `mutation { ${one()} ...F } fragment F on Mutation { b: ${one()} }`,
    'two fragments': () =>
      `mutation { ...F ...G } fragment F on Mutation { a: ${one()} } fragment G on Mutation { b: ${one()} }`,
    'one fragment twice': () => `mutation { ...F ...F } fragment F on Mutation { ${one()} }`,
    'one fragment with two fields': () => `mutation { ...F } fragment F on Mutation { a: ${one()} b: ${one()} }`,
    'a fragment in a fragment': () =>
      `mutation { ...F } fragment F on Mutation { a: ${one()} ...G } fragment G on Mutation { b: ${one()} }`,
    'inline fragments': () => `mutation { ... { a: ${one()} } ... on Mutation { b: ${one()} } }`,
    'a field that @skip leaves out': () => `mutation { a: ${one('@skip(if: true)')} b: ${one()} }`,
    'a field that @include lets in': () =>
      `mutation M($yes: Boolean = true) { a: ${one()} b: ${one('@include(if: $yes)')} }`,
    'a field beside __typename': () => `mutation { __typename ${one()} }`,
    'an operation chosen among several': () => `query Q { __typename } mutation M { a: ${one()} b: ${one()} }`,
  };

  test.each(Object.keys(SHAPES))('%s is a 400, and runs nothing', async (shape) => {
    const query = SHAPES[shape]?.() ?? '';
    const operationName = query.includes('mutation M') ? 'M' : undefined;
    const before = await countUsers();
    for (const headers of [{}, SPEC_JSON]) {
      const answer = await ask(query, { operationName }, headers);
      expect(answer.codes).toContain('ONE_MUTATION_FIELD');
      expect(answer.status).toBe(400);
    }
    expect(await countUsers()).toBe(before);
  });

  test.each([
    () => `mutation { ...F } fragment F on Mutation { a: ${one()} }`,
    () => `mutation { ... on Mutation { ... { ${one()} } } }`,
    () => `mutation { ${one()} }`,
  ])('one field runs, however it is wrapped', async (query) => {
    expect(await ask(query())).toMatchObject({ status: 200, codes: [] });
  });

  test('of several operations with one field each only the named one runs', async () => {
    const query = `mutation A { ${one()} } mutation B { ${one()} } query C { __typename }`;
    const before = await countUsers();
    expect((await ask(query, { operationName: 'C' })).status).toBe(200);
    expect(await countUsers()).toBe(before);
    expect((await ask(query, { operationName: 'B' })).status).toBe(200);
    expect(await countUsers()).toBe(before + 1);
  });
});

// Defence: LIMITS, boundedDocument in src/graphql/request-rules.ts, and parseBounded in src/graphql/documents.ts.
describe('G06: bounds on documents', () => {
  /** Many operations of five tokens each, of which `A0` is meant. */
  const ofTokens = (count: number) =>
    `${Array.from({ length: Math.floor(count / 5) - 1 }, (_, index) => `query A${index} { __typename }`).join('\n')}
     query Last { ${'__typename '.repeat((count % 5) + 1)} }`;
  const aliases = (count: number) => Array.from({ length: count }, (_, index) => `a${index}: __typename`).join(' ');
  const directives = (count: number) =>
    Array.from({ length: count }, (_, index) => (index % 2 ? '@skip(if: false)' : '@include(if: true)'));
  const onFields = (count: number) => directives(count).map((directive) => `__typename ${directive}`);
  /** Fields in fields. They do not exist, which is another matter. */
  const deep = (levels: number) => `{ ${'x { '.repeat(levels - 1)} x ${'} '.repeat(levels - 1)} }`;
  /** The same, each level in a fragment of its own. */
  const deepFragments = (levels: number) =>
    `{ ...F1 } ${Array.from({ length: levels }, (_, index) =>
      index + 1 === levels
        ? `fragment F${index + 1} on Query { x }`
        : `fragment F${index + 1} on Query { x { ...F${index + 2} } }`,
    ).join(' ')}`;

  const EXCEEDED = { status: 400, codes: expect.arrayContaining(['LIMIT_EXCEEDED']) };

  test('a thousand tokens are read, and one more is a 4xx for every client', async () => {
    expect(await ask(ofTokens(1000), { operationName: 'A0' })).toMatchObject({ status: 200, codes: [] });
    for (const headers of [{}, { accept: 'application/json' }, SPEC_JSON]) {
      expect((await ask(ofTokens(1001), { operationName: 'A0' }, headers)).status).toBe(400);
    }
  });

  test('fifteen aliases are taken, and one more is refused', async () => {
    expect(await ask(`{ ${aliases(15)} }`)).toMatchObject({ status: 200, codes: [] });
    for (const headers of [{}, { accept: 'application/json' }, SPEC_JSON]) {
      expect(await ask(`{ ${aliases(16)} }`, {}, headers)).toMatchObject(EXCEEDED);
    }
  });

  test('aliases count where a fragment is spread, each time', async () => {
    const spread = (times: number, count: number) =>
      `{ ${'...F '.repeat(times)} } fragment F on Query { ${aliases(count)} }`;
    expect(await ask(spread(3, 5))).toMatchObject({ status: 200, codes: [] });
    expect(await ask(spread(4, 4))).toMatchObject(EXCEEDED);
    expect(await ask(`{ ... on Query { ${aliases(8)} } ... { ${aliases(8)} } }`)).toMatchObject(EXCEEDED);
  });

  test('twenty directives are taken, and one more is refused, wherever they stand', async () => {
    expect(await ask(`{ ${onFields(20).join(' ')} }`)).toMatchObject({ status: 200, codes: [] });
    expect(await ask(`{ ${onFields(21).join(' ')} }`)).toMatchObject(EXCEEDED);
    const inline = directives(21).map((directive) => `... ${directive} { __typename }`);
    expect(await ask(`{ ${inline.join(' ')} }`)).toMatchObject(EXCEEDED);
    const spread = directives(21).map((directive) => `...F ${directive}`);
    expect(await ask(`{ ${spread.join(' ')} } fragment F on Query { __typename }`)).toMatchObject(EXCEEDED);
    const doubled = `{ ...F ...F } fragment F on Query { ${onFields(11).join(' ')} }`;
    expect(await ask(doubled)).toMatchObject(EXCEEDED);
  });

  test('thousands of directives on one field are refused at once', async () => {
    const begun = performance.now();
    expect((await ask(`{ __typename ${'@a'.repeat(20_000)} }`)).status).toBe(400);
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test('eight levels are within the depth, and nine are not, through fragments too', async () => {
    expect((await ask(deep(8))).codes).not.toContain('LIMIT_EXCEEDED');
    expect(await ask(deep(9))).toMatchObject(EXCEEDED);
    expect((await ask(deepFragments(8))).codes).not.toContain('LIMIT_EXCEEDED');
    expect(await ask(deepFragments(9))).toMatchObject(EXCEEDED);
  });

  test('the question of GraphiQL about the schema passes, and one that nests without end does not', async () => {
    expect(await ask(getIntrospectionQuery({ inputValueDeprecation: true }))).toMatchObject({ status: 200, codes: [] });
    const nested = `{ __type(name: "Query") { ${'fields { type { '.repeat(9)} name ${'} } '.repeat(9)} } }`;
    expect(await ask(nested)).toMatchObject({ status: 400 });
  });

  test.each([
    ['of itself', '{ ...A } fragment A on Query { ...A }'],
    ['of two', '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }'],
    ['below a field', '{ ...A } fragment A on Query { authConfig { ...B } } fragment B on AuthConfig { ...A ...B }'],
    ['of a mutation', 'mutation { ...A } fragment A on Mutation { ...A logOut { __typename } }'],
  ])('a cycle %s is refused', async (_name, query) => {
    const answer = await ask(query, {}, SPEC_JSON);
    expect(answer.status).toBe(400);
    expect(answer.codes.length).toBeGreaterThan(0);
  });

  test('a chain of fragments that doubles with every link is measured, not walked', async () => {
    const chain = (leaf: string) =>
      `{ ...F0 } ${Array.from({ length: 60 }, (_, index) => `fragment F${index} on Query { ...F${index + 1} ...F${index + 1} }`).join(' ')}
       fragment F60 on Query { ${leaf} }`;
    const begun = performance.now();
    expect(await ask(chain('a: __typename'))).toMatchObject(EXCEEDED);
    expect(await ask(chain('__typename @skip(if: false)'))).toMatchObject(EXCEEDED);
    expect((await ask(chain('__typename'))).status).toBeLessThan(500);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  test('fragments that conflict with each other in many ways are judged in time', async () => {
    const fields = Array.from({ length: 7 }, (_, index) => `... on Query { ...F${index} authConfig { signUpOpen } }`);
    const fragments = Array.from(
      { length: 7 },
      (_, index) =>
        `fragment F${index} on Query { ${fields.filter((_field, other) => other > index).join(' ')} __typename }`,
    );
    const begun = performance.now();
    expect((await ask(`{ ${fields.join(' ')} } ${fragments.join(' ')}`)).status).toBeLessThan(500);
    expect((await ask(`{ authConfig { ${'signUpOpen '.repeat(990)} } }`)).status).toBeLessThan(500);
    expect((await ask(`{ authConfig { ${'... { signUpOpen } '.repeat(240)} } }`)).status).toBeLessThan(500);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  // Defence: the cache of createDocumentReader in src/graphql/documents.ts, whose room is counted in characters.
  test('documents that are all different do not fill the memory', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const fields = Array.from({ length: 990 }, (_, index) => `field${index}`).join(' ');
    await ask(`query Warm { ${fields} }`);
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < 160; index += 1) await ask(`query Q${index} { ${fields} } #${' '.repeat(5_000)}`);
    collect();
    expect((process.memoryUsage().heapUsed - before) / 2 ** 20).toBeLessThan(35);
  });

  // Defence: MAX_ERRORS in src/graphql/documents.ts.
  test('a document with hundreds of mistakes gets a handful of errors', async () => {
    const { codes } = await ask(`{ ${Array.from({ length: 300 }, (_, index) => `x${index}`).join(' ')} }`);
    expect(codes.length).toBeLessThanOrEqual(6);
  });
});

// Defence: readJson in src/http/body.ts.
describe('G07: bounds on bodies', () => {
  const KIB64 = 64 * 1024;
  const bodyOf = (bytes: number) => {
    const frame = JSON.stringify({ query: '{ __typename }', variables: { x: '' } });
    return frame.replace('"x":""', `"x":"${'a'.repeat(bytes - frame.length)}"`);
  };
  /** The body in pieces, without a length. */
  const chunked = (body: string) =>
    new ReadableStream({
      start(controller) {
        for (let at = 0; at < body.length; at += 10_000)
          controller.enqueue(new TextEncoder().encode(body.slice(at, at + 10_000)));
        controller.close();
      },
    });

  test('64 KiB are read, and one byte more is a 413', async () => {
    expect((await askRaw(bodyOf(KIB64))).status).toBe(200);
    expect((await askRaw(bodyOf(KIB64 + 1))).status).toBe(413);
  });

  test('the same holds for a body that does not say how long it is', async () => {
    expect((await askRaw(chunked(bodyOf(KIB64)))).status).toBe(200);
    const { status, headers } = await askRaw(chunked(bodyOf(KIB64 + 1)));
    expect(status).toBe(413);
    // Defence: the peer is taken before the body is read. To ask a dead socket for it ended the process.
    const id = headers.get('x-request-id') ?? 'none';
    await expect
      .poll(() => gateway.logs.filter((line) => line.includes(id) && line.includes('"peer"')))
      .toHaveLength(1);
  });

  test('of a body without end no more is read than is allowed', async () => {
    const piece = `2000\r\n${'a'.repeat(0x2000)}\r\n`;
    const head = wire('POST /graphql', ['Content-Type: application/json', 'Transfer-Encoding: chunked']);
    const { statuses, closed: gone } = await exchange(gateway.url, [head, ...Array(40).fill(piece)], 2_000);
    expect(statuses).toEqual([413]);
    expect(gone).toBe(true);
  });

  test('a request that claims a gigabyte is refused before it sends it', async () => {
    const head = wire('POST /graphql', ['Content-Type: application/json', 'Content-Length: 1073741824']);
    expect((await exchange(gateway.url, head)).statuses).toEqual([413]);
  });

  test('a length that is too short ends in a 400, and what follows is not run as a part of it', async () => {
    const before = await countUsers();
    const body = JSON.stringify({ query: `mutation { ${signUpField()} }` });
    const head = ['Content-Type: application/json', `Content-Length: ${body.length - 5}`];
    const { statuses } = await exchange(gateway.url, wire('POST /graphql', head, body));
    expect(statuses[0]).toBe(400);
    expect(statuses.every((status) => status === 400)).toBe(true);
    expect(await countUsers()).toBe(before);
  });

  test('a length that is too long waits for the rest, and runs nothing', async () => {
    const before = await countUsers();
    const body = JSON.stringify({ query: `mutation { ${signUpField()} }` });
    const head = ['Content-Type: application/json', `Content-Length: ${body.length + 5}`];
    expect((await exchange(gateway.url, wire('POST /graphql', head, body), 300)).statuses).toEqual([]);
    expect(await countUsers()).toBe(before);
  });

  test('a compressed body is not unpacked', async () => {
    expect((await askRaw('{"query":"{ __typename }"}', { 'content-encoding': 'gzip' })).status).toBeLessThan(500);
  });
});

// Defence: NoSchemaIntrospectionCustomRule and the `graphiql` setting.
describe('G08: a closed gateway does not describe itself', () => {
  const QUESTIONS = {
    'the whole schema': getIntrospectionQuery(),
    __schema: '{ __schema { queryType { name } } }',
    __type: '{ __type(name: "User") { fields { name } } }',
    'an alias': '{ a: __type(name: "User") { name } }',
    'a fragment': '{ ...F } fragment F on Query { __schema { types { name } } }',
    'a fragment in a fragment':
      '{ ...F } fragment F on Query { ...G } fragment G on Query { __type(name: "User") { name } }',
    'an inline fragment': '{ ... on Query { ... { __schema { types { name } } } } }',
    '@include': '{ __schema @include(if: true) { types { name } } }',
    'the subgraph': '{ _service { sdl } }',
    'the subgraph, by an alias in a fragment':
      '{ ...F } fragment F on Query { a: _service { ...S } } fragment S on _Service { sdl }',
    'the subgraph, without its text': '{ _service { __typename } }',
  };

  test.each(Object.entries(QUESTIONS))('nothing is told by %s', async (_name, query) => {
    for (const headers of [{}, SPEC_JSON]) {
      const { text, errors } = await readAnswer(await closed.client().post(JSON.stringify({ query }), headers));
      expect(errors.length).toBeGreaterThan(0);
      expect(text).not.toContain('"data"');
      expect(text).not.toContain('SignUpInput');
    }
    const url = `${closed.url}/graphql?${new URLSearchParams({ query })}`;
    expect(await (await fetch(url)).text()).not.toContain('"data"');
  });

  test('__typename still answers', async () => {
    const answer = await closed.client().send('{ currentUser { __typename } }');
    expect(answer.result.__typename).toBe('Unauthenticated');
  });

  test('a browser gets no GraphiQL', async () => {
    const response = await fetch(`${closed.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(response.status).toBe(406);
    expect(await response.text()).not.toMatch(/html/i);
  });
});

/** A literal that fits a type, with no more in it than is needed. */
function literal(type: GraphQLInputType): string {
  if (isNonNullType(type)) return literal(type.ofType);
  if (isListType(type)) return '[]';
  if (isEnumType(type)) return type.getValues()[0]?.name ?? '';
  if (isInputObjectType(type)) {
    const [first, ...others] = Object.values(type.getFields());
    if (type.isOneOf && first) return `{ ${first.name}: ${literal(first.type)} }`;
    return `{ ${inputs(first ? [first, ...others] : [])} }`;
  }
  const written: Record<string, string> = { Int: '1', Boolean: 'true', JSONObject: '{}', _Any: '{}' };
  return written[type.name] ?? '"x"';
}

function inputs(all: readonly (GraphQLArgument | GraphQLInputField)[]): string {
  return all
    .filter((input) => isRequiredInputField(input as GraphQLInputField))
    .map((input) => `${input.name}: ${literal(input.type)}`)
    .join(', ');
}

/** For each composite type a document that selects `selection` of it, by the shortest way from a root. */
function waysTo(inside: GraphQLSchema): Map<string, (selection: string) => string> {
  const ways = new Map<string, (selection: string) => string>();
  const queue: string[] = [];
  const reach = (name: string, way: (selection: string) => string) => {
    if (ways.has(name)) return;
    ways.set(name, way);
    queue.push(name);
  };
  reach('Query', (selection) => `query { ${selection} }`);
  reach('Mutation', (selection) => `mutation { ${selection} }`);
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const type = inside.getType(name);
    const way = ways.get(name);
    if (!type || !way) continue;
    if (isUnionType(type) || isInterfaceType(type)) {
      for (const member of inside.getPossibleTypes(type))
        reach(member.name, (selection) => way(`... on ${member.name} { ${selection} }`));
    }
    if (isObjectType(type)) {
      for (const implemented of type.getInterfaces())
        reach(implemented.name, (selection) => way(`... on ${implemented.name} { ${selection} }`));
    }
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        const args = inputs(field.args);
        const call = args ? `${field.name}(${args})` : field.name;
        reach(getNamedType(field.type).name, (selection) => way(`${call} { ${selection} }`));
      }
    }
  }
  return ways;
}

/** A slip of the finger: close enough for a suggestion, and without the name in it. */
function misspelled(name: string): string {
  return name.length > 3 ? name.slice(0, -2) + name.slice(-1) : `${name[0]}q${name.slice(1)}`;
}

// Defence: hideSuggestions in src/graphql/documents.ts, and withoutQuotes in src/graphql/errors.ts for what the executor says.
describe('G09: a misspelled name gets no suggestion', () => {
  const publicTypes = () => Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));

  async function expectNoHint(name: string, query: string, variables: Record<string, unknown> = {}): Promise<void> {
    const answer = await ask(query, { variables });
    expect(answer.codes.length, `${query} ${answer.text}`).toBeGreaterThan(0);
    expect(answer.text).not.toMatch(/did you mean|suggest/i);
    // The right name is in the answer only where the document had it.
    const told = new RegExp(`\\b${name}\\b`);
    const messages = (JSON.parse(answer.text).errors as { message: string }[]).map(({ message }) => message);
    // An argument that is missing is named by GraphQL's own rule; that is no guess at what was meant.
    if (!told.test(query)) expect(messages.filter((message) => !/required/.test(message)).join()).not.toMatch(told);
    expect(answer.status).toBeLessThan(500);
  }

  test('of fields', async () => {
    const ways = waysTo(schema);
    let tried = 0;
    for (const type of publicTypes()) {
      if (!isObjectType(type) && !isInterfaceType(type)) continue;
      const way = ways.get(type.name);
      // What no path leads to is declared for later, and cannot be asked for.
      if (!way) continue;
      for (const name of Object.keys(type.getFields())) {
        await expectNoHint(name, way(misspelled(name)));
        tried += 1;
      }
    }
    expect(tried).toBeGreaterThan(50);
  });

  test('of arguments', async () => {
    const roots = [schema.getQueryType(), schema.getMutationType()];
    const fields = roots.flatMap((root) => Object.values(root?.getFields() ?? {}).map((field) => ({ root, field })));
    for (const { root, field } of fields) {
      const operation = root === schema.getMutationType() ? 'mutation' : 'query';
      for (const { name, type } of field.args) {
        const query = `${operation} { ${field.name}(${misspelled(name)}: ${literal(type)}) { __typename } }`;
        await expectNoHint(name, query);
      }
    }
  });

  test('of input fields and enum values, in the document and in variables', async () => {
    const mutations = Object.values(schema.getMutationType()?.getFields() ?? {});
    let tried = 0;
    for (const { name: mutation, args } of mutations) {
      for (const { name: arg, type } of args) {
        const named = getNamedType(type);
        if (!isInputObjectType(named)) continue;
        const call = (value: string) => `${mutation}(${arg}: ${value}) { __typename }`;
        const withVariable = `mutation M($v: ${String(type)}) { ${call('$v')} }`;
        const required = Object.fromEntries(
          Object.values(named.getFields())
            .filter((field) => isRequiredInputField(field))
            .map(({ name }) => [name, 'x']),
        );
        const filled = inputs(Object.values(named.getFields()));
        for (const field of Object.values(named.getFields())) {
          const wrong = misspelled(field.name);
          await expectNoHint(field.name, `mutation { ${call(`{ ${filled} ${wrong}: "x" }`)} }`);
          await expectNoHint(field.name, withVariable, { v: { ...required, [wrong]: 'x' } });
          tried += 1;
          const values = getNamedType(field.type);
          if (!isEnumType(values)) continue;
          for (const { name } of values.getValues()) {
            for (const spelling of [misspelled(name), name.toLowerCase()]) {
              await expectNoHint(name, `mutation { ${call(`{ ${filled} ${field.name}: ${spelling} }`)} }`);
              await expectNoHint(name, withVariable, { v: { ...required, [field.name]: spelling } });
            }
          }
        }
      }
    }
    expect(tried).toBeGreaterThan(10);
  });

  test('of types and directives', async () => {
    for (const { name } of publicTypes()) {
      const wrong = misspelled(name);
      await expectNoHint(name, `{ ... on ${wrong} { __typename } }`);
      await expectNoHint(name, `query Q($v: ${wrong}) { __typename }`);
      await expectNoHint(name, `{ ...F } fragment F on ${wrong} { __typename }`);
    }
    for (const { name } of schema.getDirectives()) await expectNoHint(name, `{ __typename @${misspelled(name)} }`);
  });
});

// Defence: presentError in src/graphql/errors.ts, and the catch of src/http/server.ts.
describe('G10: a fault of ours is told as nothing but a number', () => {
  let broken: Gateway;
  let held: Awaited<ReturnType<typeof signUp>>;
  const person = newPerson();

  beforeAll(async () => {
    broken = await startGateway({ env: UNLIMITED });
    held = await signUp(broken.client(), person);
  });
  afterAll(() => broken.stop());
  afterEach(() => vi.unstubAllEnvs());

  const LEAKS =
    /prisma|postgres|relation|select|insert|SQL|stack|node_modules|\.ts|at [A-Z]\w+\.|pg_|42P01|does not exist|timeout|pool|hostile/i;

  function expectMasked({ text, status, headers }: { text: string; status: number; headers: Headers }) {
    expect([500, 503]).toContain(status);
    expect(text).not.toMatch(LEAKS);
    const { errors, data } = JSON.parse(text);
    expect(data ?? null).toBeNull();
    expect(errors).toHaveLength(1);
    const { message, extensions, path } = errors[0];
    expect(message).toBe('Something went wrong on our side.');
    expect(Object.keys(extensions).sort()).toEqual(['code', 'id']);
    expect(extensions.id).toBe(headers.get('x-request-id'));
    if (path) expect(extensions.code).toBe(status === 503 ? 'UNAVAILABLE' : 'INTERNAL_SERVER_ERROR');
    // Whoever calls us with the number finds the cause.
    const lines = broken.logs.filter((line) => line.includes(extensions.id) && line.includes('"err"'));
    expect(lines).toHaveLength(1);
  }

  test.each(['development', 'test', 'production', ''])('with NODE_ENV=%s a resolver that fails', async (mode) => {
    vi.stubEnv('NODE_ENV', mode);
    await broken.sql('ALTER TABLE users RENAME TO users_away');
    try {
      expectMasked(await broken.client().send(SIGN_UP, { input: newPerson() }));
      expectMasked(await broken.client().send(LOG_IN, { input: person }));
    } finally {
      await broken.sql('ALTER TABLE users_away RENAME TO users');
    }
    expect((await held.client.send(CURRENT_USER)).result.__typename).toBe('User');
  });

  test('a resolver that throws something else than an Error', async () => {
    const spy = vi.spyOn(broken.app.limiter, 'count');
    for (const thrown of ['a hostile text', { message: 'a hostile object' }, null, undefined, 7]) {
      spy.mockRejectedValueOnce(thrown);
      expectMasked(await broken.client().send(SIGN_UP, { input: newPerson() }));
    }
    spy.mockRestore();
  });

  test('a value that does not fit the type of its field', async () => {
    const spy = vi.spyOn(broken.app, 'config', 'get' as never);
    spy.mockReturnValue({ ...broken.app.config, password: { minLength: 'a hostile text' } } as never);
    const answer = await broken
      .client()
      .send('{ authConfig { passwordMinLength } }')
      .finally(() => spy.mockRestore());
    expectMasked(answer);
  });

  test('a credential that cannot be looked up', async () => {
    await broken.sql('ALTER TABLE sessions RENAME TO sessions_away');
    try {
      expectMasked(await broken.client().bearing(makeToken('session')).send(CURRENT_USER));
    } finally {
      await broken.sql('ALTER TABLE sessions_away RENAME TO sessions');
    }
  });

  test('connections that are cut, after which the next request is answered again', async () => {
    const cut = () =>
      broken.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()');
    for (let round = 0; round < 5; round += 1) {
      const [answer] = await Promise.all([
        broken.client().send(LOG_IN, { input: person }),
        cut().catch(() => undefined),
      ]);
      if (answer.status !== 200) expectMasked(answer);
    }
    await expect.poll(async () => (await broken.client().send(LOG_IN, { input: person })).status).toBe(200);
  });
});

// Defence: withoutQuotes in src/graphql/errors.ts; the door's own refusals name nothing of what they got.
describe('G11: what somebody typed is neither echoed nor logged', () => {
  const CANARY = 'kanarienvogel';
  const NUMBER = 8675309123;
  const WRONG = [{ x: CANARY }, [CANARY], [[{ x: [CANARY] }]], NUMBER, [NUMBER], { [CANARY]: true }, true];

  function expectSilence(answer: { text: string; status: number; headers: Headers }) {
    const headers = JSON.stringify([...answer.headers]);
    for (const told of [answer.text, headers]) {
      expect(told.toLowerCase()).not.toContain(CANARY);
      expect(told).not.toContain(String(NUMBER));
    }
    expect(answer.status).toBeLessThan(500);
    const logged = gateway.logs.join('').toLowerCase();
    expect(logged).not.toContain(CANARY);
    expect(logged).not.toContain(String(NUMBER));
  }

  test('in a variable of another type', async () => {
    for (const document of [SIGN_UP, LOG_IN]) {
      for (const wrong of WRONG) {
        for (const input of [
          { email: 'a@example.com', password: wrong },
          { email: wrong, password: CANARY },
          { email: 'a@example.com', password: CANARY, credential: wrong },
          { email: 'a@example.com', password: CANARY, credential: CANARY },
          { email: 'a@example.com', password: CANARY, [CANARY]: CANARY },
          { email: 'a@example.com', password: CANARY, extra: wrong },
          [{ password: wrong }],
          wrong,
          CANARY,
        ]) {
          const answer = await ask(document, { variables: { input } });
          expectSilence(answer);
          if (input !== null && typeof input === 'object') expect(answer.status).toBe(400);
        }
      }
    }
  });

  test.each([
    `password: { x: "${CANARY}" }`,
    `password: ["${CANARY}"]`,
    `password: ${CANARY}`,
    `password: ${NUMBER}`,
    `password: ${NUMBER}.5`,
    `password: """${CANARY}""", email: 1`,
    `password: "x", credential: "${CANARY}"`,
    `password: "x", credential: ${CANARY}`,
    `password: "x", credential: ${NUMBER}`,
    `password: "x", credential: { x: "${CANARY}" }`,
    `password: "x" "${CANARY}"`,
    `password: "x" ${NUMBER}`,
    `password: "x", : ${CANARY}`,
    `password: "${CANARY}`,
    `password: "${CANARY}\\x"`,
    `password: "x\\u{${CANARY}}"`,
    `password: '${CANARY}'`,
    `password: $${CANARY}`,
    `password: ${NUMBER}a`,
    `password: 0${NUMBER}`,
  ])('in the document: %s', async (fields) => {
    for (const mutation of ['signUp', 'logInWithPassword']) {
      for (const headers of [{}, SPEC_JSON]) {
        const answer = await ask(`mutation { ${mutation}(input: { ${fields} }) { __typename } }`, {}, headers);
        // Of names, which are the client's code and not somebody's secret, only that of a variable may come back.
        if (!fields.includes('$')) expectSilence(answer);
        expect(answer.codes.length).toBeGreaterThan(0);
      }
    }
  });

  test.each([
    `query Q($p: String = { x: "${CANARY}" }) { __typename @skip(if: $p) }`,
    `query Q($p: String = "${CANARY}") { __typename @skip(if: $p) }`,
    `query Q($p: Boolean = "${CANARY}") { __typename @skip(if: $p) }`,
    `{ __typename @skip(if: "${CANARY}") }`,
    `{ pendingLogin(loginToken: { x: "${CANARY}" }) { __typename } }`,
    `{ currentUser(password: "${CANARY}") { __typename } }`,
    `"${CANARY}" { __typename }`,
    `${CANARY}`,
    `{ "${CANARY}" }`,
    `{ __typename } """${CANARY}"""`,
    `{ __typename ${NUMBER} }`,
  ])('in any other place of a document: %s', async (query) => {
    expectSilence(await ask(query));
    expectSilence(await get({ query }));
  });

  test('in a body that is no request', async () => {
    for (const body of [
      `{"query": "{ __typename }", "variables": {"password": "${CANARY}"`,
      `${CANARY}`,
      `"${CANARY}"`,
      `{"query": {"x": "${CANARY}"}}`,
      `{"query": ["${CANARY}"]}`,
      `{"password": "${CANARY}"}`,
      `{"query": "{ __typename }", "${CANARY}": 1}`,
      `{"query": "{ __typename }", "variables": "${CANARY}"}`,
      `{"query": "{ __typename }", "variables": ["${CANARY}"]}`,
      `{"query": "{ __typename }", "extensions": "${CANARY}"}`,
      `{"query": "{ __typename }", "operationName": "${CANARY}"}`,
      `{"query": "{ __typename }", "operationName": {"x": "${CANARY}"}}`,
      `{"query": "query A { __typename } query B { __typename }", "operationName": "${CANARY}"}`,
    ]) {
      const answer = await askRaw(body);
      expectSilence(answer);
      expect(answer.status, body).toBe(400);
    }
  });

  test('in the URL, and in headers', async () => {
    expectSilence(await get({ query: '{ __typename }', variables: `{"x":${CANARY}` }));
    expectSilence(await get({ query: '{ __typename }', [CANARY]: CANARY }));
    expectSilence(await get({ query: '{ __typename }', operationName: CANARY }));
    for (const name of [
      'content-type',
      'accept',
      'origin',
      'authorization',
      'cookie',
      'x-session-token',
      'referer',
      'user-agent',
      'x-request-id',
    ]) {
      expectSilence(await askRaw('{"query":"{ __typename }"}', { [name]: CANARY }));
    }
    expectSilence(await askRaw('{"query":"{ __typename }"}', { authorization: `Bearer ${CANARY}` }));
  });

  test('in a request that runs', async () => {
    const person = { email: newPerson().email, password: `${CANARY} ${CANARY} ${CANARY}` };
    const { answer, client } = await signUp(gateway.client(), person);
    expectSilence(answer);
    expectSilence((await logIn(gateway.client(), person)).answer);
    expectSilence(await gateway.client().send(LOG_IN, { input: { ...person, password: `${CANARY}!` } }));
    expectSilence(await client.send(CURRENT_USER));
  });
});

// Defence: signedIn in every resolver that tells about somebody, and this list.
describe('G12: what answers without a session is written down here', () => {
  /** Every root field, and how it answers to nobody. A new field has to be thought about. */
  const TO_NOBODY: Record<string, string | undefined> = {
    // A list; federation.test.ts shows what is in it.
    'query _entities': undefined,
    'query _service': '_Service',
    'query authConfig': 'AuthConfig',
    'query currentSession': 'Unauthenticated',
    'query currentUser': 'Unauthenticated',
    'query pendingLogin': 'LoginExpired',
    'query invitations': 'Unauthenticated',
    'query user': 'Unauthenticated',
    'query users': 'Unauthenticated',
    'mutation createUser': 'Unauthenticated',
    'mutation deleteUser': 'Unauthenticated',
    'mutation disableUser': 'Unauthenticated',
    'mutation enableUser': 'Unauthenticated',
    'mutation inviteUser': 'Unauthenticated',
    'mutation requirePasswordChange': 'Unauthenticated',
    'mutation resetUserFactors': 'Unauthenticated',
    'mutation revokeInvitation': 'Unauthenticated',
    'mutation revokeUserSessions': 'Unauthenticated',
    'mutation setUserRoles': 'Unauthenticated',
    'mutation updateUser': 'Unauthenticated',
    'mutation addEmail': 'Unauthenticated',
    'mutation beginReauthentication': 'Unauthenticated',
    'mutation changePassword': 'Unauthenticated',
    'mutation changePendingEmail': 'InvalidInput',
    'mutation continueLogin': 'LoginExpired',
    'mutation deleteAccount': 'Unauthenticated',
    'mutation issueAccessToken': 'Unauthenticated',
    'mutation logInWithCode': 'InvalidToken',
    'mutation logInWithPassword': 'InvalidInput',
    'mutation logOut': 'Unauthenticated',
    'mutation reauthenticate': 'Unauthenticated',
    'mutation refreshSession': 'Unauthenticated',
    'mutation removeEmail': 'Unauthenticated',
    'mutation removePhone': 'Unauthenticated',
    'mutation renewConnection': 'NO_CONNECTION',
    'mutation replacePassword': 'LoginExpired',
    'mutation requestLoginCode': 'InvalidInput',
    'mutation requestPasswordReset': 'InvalidInput',
    'mutation resendCode': 'InvalidToken',
    'mutation resetPassword': 'PasswordRejected',
    'mutation beginPasskey': 'Unauthenticated',
    'mutation beginPasskeyLogin': 'PasskeyLoginStarted',
    'mutation beginTotp': 'Unauthenticated',
    'mutation confirmPasskey': 'InvalidToken',
    'mutation confirmTotp': 'InvalidToken',
    'mutation forgetTrustedDevices': 'Unauthenticated',
    'mutation generateRecoveryCodes': 'Unauthenticated',
    'mutation logInWithPasskey': 'LoginExpired',
    'mutation removeAuthenticator': 'Unauthenticated',
    'mutation renamePasskey': 'Unauthenticated',
    'mutation verifyMfa': 'LoginExpired',
    'mutation beginProviderConnection': 'Unauthenticated',
    'mutation beginProviderLogin': 'ProviderNotFound',
    'mutation completeProviderConnection': 'Unauthenticated',
    'mutation completeProviderLogin': 'LoginExpired',
    'mutation completeProviderSignUp': 'LoginExpired',
    'mutation disconnectProvider': 'Unauthenticated',
    'mutation linkAccount': 'LoginExpired',
    'mutation logInWithProviderToken': 'ProviderNotFound',
    'mutation revokeOtherSessions': 'Unauthenticated',
    'mutation revokeSession': 'Unauthenticated',
    'mutation sendEmailVerification': 'Unauthenticated',
    'mutation setPhone': 'Unauthenticated',
    'mutation setPrimaryEmail': 'Unauthenticated',
    'mutation signUp': 'InvalidInput',
    'mutation updateProfile': 'Unauthenticated',
    'mutation verifyEmail': 'InvalidToken',
    'mutation verifyPhone': 'InvalidToken',
    'subscription currentSession': 'Unauthenticated',
    'subscription sessionEvents': 'UNAUTHENTICATED',
  };
  /** Every field of what tells about a person. */
  const ABOUT_A_PERSON: Record<string, readonly string[]> = {
    User: [
      ...[
        'authenticators',
        'connections',
        'createdAt',
        'displayName',
        'email',
        'emailVerified',
        'emails',
        'hasMfa',
        'hasPassword',
      ],
      ...['id', 'lastLoginAt', 'name', 'phone', 'roles', 'securityEvents', 'sessions', 'username'],
    ],
    Session: [
      ...['createdAt', 'credential', 'current', 'expiresAt', 'freshUntil', 'id', 'ipAddress', 'lastSeenAt'],
      ...['methods', 'userAgent'],
    ],
  };

  /** An operation for each root field, with the least that it needs. */
  function operations(): Map<string, string> {
    const roots = {
      query: schema.getQueryType(),
      mutation: schema.getMutationType(),
      subscription: schema.getSubscriptionType(),
    };
    return new Map(
      Object.entries(roots).flatMap(([kind, root]) =>
        Object.values(root?.getFields() ?? {}).map(({ name, args }) => {
          const given = inputs(args);
          return [`${kind} ${name}`, `${kind} { ${name}${given ? `(${given})` : ''} { __typename } }`] as const;
        }),
      ),
    );
  }

  async function expectNobody(client: GraphQLClient): Promise<void> {
    for (const [field, query] of operations()) {
      const accept = query.startsWith('subscription') ? 'text/event-stream' : 'application/json';
      const { result, errors, text } = await client.with({ accept }).send(query);
      const [value] = [...text.matchAll(/"__typename":"(\w+)"/g)].map(([, name]) => name);
      const told = result.__typename || value || errors[0]?.extensions?.code;
      expect(`${field}: ${told}`).toBe(`${field}: ${TO_NOBODY[field]}`);
    }
  }

  test('the list has every root field', () => {
    expect([...operations().keys()].sort()).toEqual(Object.keys(TO_NOBODY).sort());
  });

  test('the fields that tell about a person are those on the list', () => {
    for (const [name, fields] of Object.entries(ABOUT_A_PERSON)) {
      const type = schema.getType(name);
      expect(isObjectType(type) && Object.keys(type.getFields()).sort()).toEqual(fields);
    }
  });

  test('to nobody', () => expectNobody(gateway.client()));

  test('to garbage, in each place where a credential may stand', async () => {
    for (const garbage of [
      'garbage',
      makeToken('session'),
      makeToken('refresh'),
      'a.b.c',
      'null',
      '{"not":""}',
      '%00',
    ]) {
      await expectNobody(gateway.client().bearing(garbage));
      await expectNobody(gateway.client({ 'x-session-token': garbage }));
      await expectNobody(gateway.client({ cookie: `postern=${garbage}` }));
    }
  });

  test('to a token of a login that is not finished', async () => {
    const { userId } = await signUp(gateway.client(), newPerson());
    const loginToken = makeToken('login');
    const now = gateway.clock();
    await pendingLogins.store(gateway.app.database, {
      ...{ purpose: 'PASSWORD', userId, credential: 'SESSION_TOKEN', methods: [], passwordChangedAt: null },
      ...{ expiresAt: new Date(now.getTime() + 60_000), tokenHash: hashToken(loginToken) },
      ...{ ipAddress: null, userAgent: null, now, id: randomUUID(), stage: 'verifyEmail' },
      ...{
        email: null,
        phone: null,
        sealedSignUp: null,
        sealedIdentity: null,
        trustedDeviceHash: null,
        trustsDevice: false,
      },
      passkeyChallenge: { bytes: Buffer.alloc(32), expiresAt: now },
    });
    await expectNobody(gateway.client().bearing(loginToken));
    await expectNobody(gateway.client({ 'x-session-token': loginToken }));
    await expectNobody(gateway.client({ cookie: `postern=${loginToken}` }));
  });

  test('to a credential in a place where it does not belong', async () => {
    const byCookie = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const byToken = await signUp(gateway.client(), newPerson());
    const byJwt = await signUp(gateway.client(), newPerson(), 'JWT');
    await expectNobody(gateway.client().bearing(byCookie.token));
    await expectNobody(gateway.client({ 'x-session-token': byCookie.token }));
    await expectNobody(gateway.client({ cookie: `postern=${byToken.token}` }));
    await expectNobody(gateway.client({ cookie: `postern=${byJwt.token}` }));
    await expectNobody(gateway.client({ 'x-session-token': byJwt.token }));
    await expectNobody(gateway.client().bearing(byJwt.refreshToken ?? ''));
    await expectNobody(gateway.client({ 'x-session-token': byJwt.refreshToken ?? '' }));
    for (const { client, userId } of [byCookie, byToken, byJwt])
      expect((await client.send(CURRENT_USER)).result.id).toBe(userId);
  });

  test('to a session that was logged out', async () => {
    for (const kind of ['COOKIE', 'SESSION_TOKEN', 'JWT'] as const) {
      const { client } = await signUp(gateway.client(), newPerson(), kind);
      await client.send('mutation { logOut { __typename } }');
      await expectNobody(client);
    }
  });

  test('somebody sees themselves and nobody else', async () => {
    const [ada, eve] = [await signUp(gateway.client(), newPerson()), await signUp(gateway.client(), newPerson())];
    const { text, result } = await eve.client.send(`{ currentUser { ... on User { id email sessions { id } } } }`);
    expect(result).toMatchObject({ id: eve.userId, sessions: [{ id: eve.sessionId }] });
    expect(text).not.toContain(ada.userId);
    expect(text).not.toContain(ada.sessionId);
  });
});

describe("G13: other people's ids open nothing", () => {
  // Defence: no operation takes an id; what is taken instead is looked up by the hash of a token.
  test('no argument or input field of the schema is an id, until it is listed here', () => {
    // Ids of one's own addresses; test/security/addresses.test.ts shows those of others.
    // Those of authenticators are tried in second-factors.test.ts and passkeys.test.ts, those of connections in
    // social-login.test.ts, those of sessions and events in flows/sessions.test.ts and sockets.test.ts. Providers are named by what the operator calls them.
    const LISTED = [
      ...['BeginProviderConnectionInput.provider', 'BeginProviderLoginInput.provider', 'DisconnectProviderInput.id'],
      ...['LogInWithProviderTokenInput.provider', 'RemoveAuthenticatorInput.id', 'RemoveEmailInput.id'],
      ...['RenamePasskeyInput.id', 'RevokeSessionInput.id', 'SendEmailVerificationInput.id', 'SetPrimaryEmailInput.id'],
      ...['Subscription.sessionEvents(after)', 'User.securityEvents(after)'],
      // For administrators, who alone may name others: administration.test.ts.
      ...['AccountDetails.events(after)', 'DeleteUserInput.id', 'DisableUserInput.id', 'EnableUserInput.id'],
      ...['Query.invitations(after)', 'Query.user(id)', 'Query.users(after)', 'RequirePasswordChangeInput.id'],
      ...['ResetUserFactorsInput.id', 'RevokeInvitationInput.id', 'RevokeUserSessionsInput.id', 'SetUserRolesInput.id'],
      'UpdateUserInput.id',
    ].sort();
    const found = Object.values(schema.getTypeMap()).flatMap((type) => {
      if (type.name.startsWith('__')) return [];
      if (isInputObjectType(type))
        return Object.values(type.getFields())
          .filter((field) => getNamedType(field.type).name === 'ID' || /Id$/.test(field.name))
          .map((field) => `${type.name}.${field.name}`);
      if (!isObjectType(type)) return [];
      return Object.values(type.getFields()).flatMap((field) =>
        field.args
          .filter((arg) => getNamedType(arg.type).name === 'ID' || /Id$/.test(arg.name))
          .map((arg) => `${type.name}.${field.name}(${arg.name})`),
      );
    });
    expect(found.sort()).toEqual(LISTED);
  });

  test('the id of a person or a session does as little as a random text, wherever a text is taken', async () => {
    const ada = await signUp(gateway.client(), newPerson(), 'JWT');
    const eve = await signUp(gateway.client(), newPerson());
    const doors = [
      'query Q($v: String!) { pendingLogin(loginToken: $v) { __typename ... on Problem { message } } }',
      'mutation M($v: String!) { continueLogin(input: { loginToken: $v }) { __typename ... on Problem { message } } }',
      'mutation M($v: String!) { refreshSession(input: { refreshToken: $v }) { __typename ... on Unauthenticated { reason } } }',
    ];
    for (const door of doors) {
      const answers = new Set<string>();
      for (const v of [crypto.randomUUID(), ada.userId, ada.sessionId, eve.userId, ada.token, 'x', ''])
        answers.add((await eve.client.send(door, { v })).text);
      expect([...answers]).toHaveLength(1);
    }
    expect((await ada.client.send(CURRENT_USER)).result.id).toBe(ada.userId);
  });
});

describe('G14: inputs are made of strings and what is as plain', () => {
  // Defence: the input types. The schema is taken from the source, not by introspection, which shows the same.
  test('no input type has a JSON scalar or any other open scalar, but for what a browser answers for a passkey, and how a gateway names an entity', () => {
    expect(printSchema(builtSchema).length).toBeGreaterThan(0);
    const PLAIN = ['String', 'Boolean', 'Int', 'ID', 'DateTime'];
    const seen = new Set<string>();
    const open: string[] = [];
    const visit = (path: string, type: GraphQLInputType) => {
      const named = getNamedType(type);
      if (isScalarType(named) && !PLAIN.includes(named.name)) open.push(`${path}: ${named.name}`);
      if (!isInputObjectType(named) || seen.has(named.name)) return;
      seen.add(named.name);
      for (const field of Object.values(named.getFields())) visit(`${path}.${field.name}`, field.type);
    };
    for (const root of [builtSchema.getQueryType(), builtSchema.getMutationType(), builtSchema.getSubscriptionType()])
      for (const field of Object.values(root?.getFields() ?? {}))
        for (const arg of field.args) visit(`${field.name}.${arg.name}`, arg.type);
    expect(seen.size).toBeGreaterThan(3);
    expect(open.sort()).toEqual([
      '_entities.representations: _Any',
      'confirmPasskey.input.response: JSONObject',
      'logInWithPasskey.input.response: JSONObject',
      'reauthenticate.input.passkey.response: JSONObject',
      'verifyMfa.input.proof.passkey: JSONObject',
    ]);
  });

  test('an operator of the database in the place of a text is a 400', async () => {
    for (const operator of [{ not: '' }, { startsWith: 'p' }, { contains: '' }, [], { equals: null }]) {
      for (const variables of [{ input: { loginToken: operator } }, { input: operator }])
        expect(
          (
            await ask('mutation M($input: ContinueLoginInput!) { continueLogin(input: $input) { __typename } }', {
              variables,
            })
          ).status,
        ).toBe(400);
    }
  });
});

// Defence: rules that are the same for everybody (F7), and a context of its own for each request.
describe('G15: one document, several people', () => {
  test('gives each their own answer, in both orders and at once', async () => {
    const [ada, eve] = [await signUp(gateway.client(), newPerson()), await signUp(gateway.client(), newPerson())];
    const idFor = async (client: GraphQLClient, query: string) => (await client.send(query)).result.id ?? 'nobody';
    for (const order of [0, 1]) {
      const query = `query Order${order} { currentUser { ... on User { id } } }`;
      const askers = [ada.client, gateway.client(), eve.client];
      const expected = [ada.userId, 'nobody', eve.userId];
      if (order === 1) {
        askers.reverse();
        expected.reverse();
      }
      const answers: unknown[] = [];
      for (const asker of askers) answers.push(await idFor(asker, query));
      expect(answers).toEqual(expected);
      expect(await Promise.all(askers.map((asker) => idFor(asker, query)))).toEqual(expected);
    }
  });

  test('is refused alike for each, in both orders', async () => {
    const { client } = await signUp(gateway.client(), newPerson());
    const document = (name: string) =>
      `query ${name} { ${Array.from({ length: 16 }, (_, index) => `a${index}: __typename`).join(' ')} }`;
    const codes = async (asker: GraphQLClient, name: string) =>
      (await asker.send(document(name))).errors.map(({ extensions }) => extensions?.code);
    const first = [await codes(client, 'A'), await codes(gateway.client(), 'A')];
    const second = [await codes(gateway.client(), 'B'), await codes(client, 'B')];
    expect([...first, ...second]).toEqual(Array(4).fill(['LIMIT_EXCEEDED']));
  });

  // A29: an error object that lives as long as its document must not take on what belongs to one request.
  test('an error about it carries nothing of an earlier request', async () => {
    const query = '{ currentUser { nothing } }';
    const answers = [await ask(query), await ask(query, {}, SPEC_JSON), await ask(query)];
    expect(answers[2]?.text).toBe(answers[0]?.text);
    expect(answers[1]?.text).not.toContain('http');
  });

  // A28: the identity of a request does not change while it is answered.
  test('a login leaves the rest of its own answer as it was', async () => {
    const [ada, eve] = [newPerson(), await signUp(gateway.client(), newPerson())];
    await signUp(gateway.client(), ada);
    const { client, userId } = await logIn(eve.client, ada);
    expect(userId).not.toBe(eve.userId);
    expect((await client.send(CURRENT_USER)).result.id).toBe(userId);
  });
});

// Defence: accepted in src/http/accept.ts.
describe('G16: nothing streams that is not asked to', () => {
  test.each(['multipart/mixed', 'multipart/mixed;deferSpec=20220824', 'image/png'])(
    'Accept: %s is a 406',
    async (accept) => {
      expect((await get({ query: '{ __typename }' }, { accept })).status).toBe(406);
      expect((await ask('{ __typename }', {}, { accept })).status).toBe(406);
    },
  );

  test.each([
    'text/event-stream, */*',
    'text/event-stream, application/json;q=0.1',
    'multipart/mixed, application/json',
  ])('Accept: %s gets JSON for a query', async (accept) => {
    const { headers, text } = await ask('{ __typename }', {}, { accept });
    expect(headers.get('content-type')).toMatch(/^application\/(graphql-response\+)?json/);
    expect(() => JSON.parse(text)).not.toThrow();
  });

  test('a subscription needs a client that takes one, and a page of another origin does not even get that far', async () => {
    const query = 'subscription { currentSession { __typename } }';
    expect((await ask(query, {}, SPEC_JSON)).status).toBe(406);
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }])
      expect((await get({ query }, { ...headers, accept: 'text/event-stream' })).status).toBe(403);
  });

  test('an upgrade opens nothing beside the endpoint, and nothing of another kind', async () => {
    const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    const key = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
    for (const path of ['/', '/health/live', '/graphql/', '/outbox', '//graphql']) {
      const { statuses } = await exchange(gateway.url, wire(`GET ${path}`, [...upgrade, ...key]));
      expect(statuses).toEqual([404]);
    }
  });

  // Defence: ignoreUpgrade of src/http/server.ts.
  test('a request that offers another protocol is answered as if it did not', async () => {
    const offer = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'];
    const body = JSON.stringify({ query: '{ __typename }' });
    const json = ['Content-Type: application/json', `Content-Length: ${body.length}`];
    expect((await exchange(gateway.url, wire('GET /health/live', offer))).statuses).toEqual([200]);
    const { statuses, text } = await exchange(gateway.url, wire('POST /graphql', [...offer, ...json], body));
    expect(statuses).toEqual([200]);
    expect(text).toContain('{"data":{"__typename":"Query"}}');
  });
});

describe('G17: no request runs for ever', () => {
  let slow: Gateway;
  beforeAll(async () => {
    slow = await startGateway({ env: UNLIMITED });
  });
  afterAll(() => slow.stop());

  test('what hangs ends after ten seconds, a statement after five, and a body that does not come with a 408', async () => {
    const timed = async <R>(work: Promise<R>) => {
      const begun = performance.now();
      return { answer: await work, seconds: (performance.now() - begun) / 1000 };
    };
    const { client } = await signUp(slow.client(), newPerson());
    // From here on this session is remembered; news of the sign-up may keep it out of memory at first.
    for (let time = 0; time < 5; time += 1) {
      await client.send(CURRENT_USER);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const locker = new pg.Client({ connectionString: slow.databaseUrl });
    await locker.connect();
    await locker.query('BEGIN');
    await locker.query('LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE');
    const stuck = vi.spyOn(slow.app.limiter, 'count').mockReturnValue(new Promise(() => undefined));
    const unfinished = wire('POST /graphql', ['Content-Type: application/json', 'Content-Length: 50'], '{"query');
    const [hanging, locked, stalled, calm] = await Promise.all([
      // Defence: ANSWER_DEADLINE_MS of src/http/server.ts.
      timed(slow.client().send(SIGN_UP, { input: newPerson() })),
      // Defence: statement_timeout of src/infra/database.ts.
      timed(slow.client().bearing(makeToken('session')).send(CURRENT_USER)),
      timed(exchange(slow.url, unfinished, 14_000)),
      timed(client.send('{ currentUser { ... on User { id } } }')),
    ]);
    stuck.mockRestore();
    await locker.query('ROLLBACK');
    await locker.end();

    expect(hanging.answer.status).toBe(503);
    expect(hanging.seconds).toBeGreaterThan(9);
    expect(hanging.seconds).toBeLessThan(11.5);
    expect(locked.answer.status).toBe(503);
    expect(locked.seconds).toBeGreaterThan(4);
    expect(locked.seconds).toBeLessThan(7);
    expect(stalled.answer.statuses).toEqual([408]);
    expect(stalled.seconds).toBeLessThan(13);
    expect(calm.seconds).toBeLessThan(4);
    expect((await client.send(CURRENT_USER)).result.__typename).toBe('User');
  });
});

// Defence: readJson and readParameters in src/http.
describe('a malformed request is a 4xx', () => {
  const QUERIES = [
    null,
    undefined,
    1,
    0,
    true,
    false,
    [],
    ['{ __typename }'],
    {},
    { a: 1 },
    '',
    ' ',
    '#',
    '{',
    '}',
    '\u0000',
  ];

  test.each(QUERIES)('query: %j', async (query) => {
    const { status } = await ask(query, {}, SPEC_JSON);
    expect(status).toBe(400);
  });

  test.each(['text', 1, true, ['list'], 0, false, ''])('variables: %j', async (variables) => {
    expect((await ask('{ __typename }', { variables })).status).toBe(400);
  });

  test.each([1, true, {}, [], ['A'], { A: 1 }, 'unknown'])('operationName: %j', async (operationName) => {
    expect((await ask('query A { __typename }', { operationName })).status).toBe(400);
  });

  test.each(['text', 1, true, ['list']])('extensions: %j', async (extensions) => {
    expect((await ask('{ __typename }', { extensions })).status).toBe(400);
  });

  test('several operations of which none is named', async () => {
    expect((await ask('query A { __typename } query B { __typename }', {}, SPEC_JSON)).status).toBe(400);
  });

  test.each([
    '',
    ' ',
    '{',
    '[',
    'null',
    '1',
    '"text"',
    'true',
    '{}',
    '[]',
    '[null]',
    'NaN',
    '{"query"',
    "{'query':1}",
    '{"query":"{__typename}"}}',
    '{"query":"{__typename}",}',
  ])('the body %s', async (body) => {
    expect((await askRaw(body)).status).toBe(400);
  });

  test('JSON that nests ten thousand times', async () => {
    for (const depth of [8_000, 20_000, 30_000]) {
      const variables = `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      const { status } = await askRaw(`{"query":"{ currentUser { __typename } }","variables":${variables}}`);
      expect(status, `${depth} levels`).toBe(400);
    }
    const nested = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    expect((await askRaw(nested)).status).toBe(400);
    expect((await askRaw(`{"query":"{ __typename }","variables":${nested}}`)).status).toBe(400);
    expect((await askRaw(`${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`)).status).toBe(400);
    const asInput = `{"query":${JSON.stringify(SIGN_UP)},"variables":{"input":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}}`;
    expect((await askRaw(asInput)).status).toBe(400);
    const document = `mutation { signUp(input: ${'{a:'.repeat(300)}1${'}'.repeat(300)}) { __typename } }`;
    expect((await ask(document)).status).toBeLessThan(500);
  });

  test('text that is not UTF-8', async () => {
    const bytes = (...middle: number[]) =>
      new Uint8Array([
        ...Buffer.from('{"query":"{ __typename }","variables":{"x":"'),
        ...middle,
        ...Buffer.from('"}}'),
      ]);
    for (const body of [
      bytes(0xff),
      bytes(0xc3, 0x28),
      bytes(0xed, 0xa0, 0x80),
      bytes(0xc0, 0x80),
      bytes(0xf5, 0x80, 0x80, 0x80),
    ])
      expect((await askRaw(body)).status).toBe(400);
    expect((await askRaw(Buffer.from('{"query":"{ __typename }"}', 'utf16le'))).status).toBe(400);
    expect((await askRaw(bytes(0xc3, 0xa9))).status).toBe(200);
  });

  test('a byte order mark, and keys that stand twice, are read one way or the other, without harm', async () => {
    expect((await askRaw('\ufeff{"query":"{ __typename }"}')).status).toBeLessThan(500);
    const before = await countUsers();
    const twice = `{"query":${JSON.stringify(`mutation { ${signUpField()} }`)},"query":"{ __typename }"}`;
    const { text } = await askRaw(twice);
    expect(text).toContain('Query');
    expect(await countUsers()).toBe(before);
  });

  test('keys that name the prototype change no prototype', async () => {
    const keys = ['__proto__', 'constructor', 'prototype'];
    for (const key of keys) {
      const poison = `{"polluted":"yes","query":"{ __typename }","password":"x"}`;
      const bodies = [
        `{"${key}":${poison}}`,
        `{"query":"{ __typename }","${key}":${poison}}`,
        `{"query":"{ __typename }","variables":{"${key}":${poison}}}`,
        `{"query":"{ __typename }","extensions":{"${key}":${poison}}}`,
        `{"query":${JSON.stringify(LOG_IN)},"variables":{"input":{"email":"a@example.com","${key}":${poison}}}}`,
        `{"query":${JSON.stringify(LOG_IN)},"variables":{"${key}":{"input":{"email":"a@example.com","password":"x"}}}}`,
      ];
      const statuses = [];
      for (const body of bodies) statuses.push((await askRaw(body)).status);
      expect(statuses).toEqual([400, 400, 200, 200, 400, 400]);
    }
    expect('polluted' in {}).toBe(false);
    expect('query' in {}).toBe(false);
    expect(
      (
        await ask(
          'query Q($constructor: String, $toString: Boolean = true) { __typename @skip(if: $toString) a: pendingLogin(loginToken: "x") @skip(if: $hasOwnProperty) { __typename } }',
        )
      ).status,
    ).toBeLessThan(500);
    for (const operationName of keys) expect((await ask('query A { __typename }', { operationName })).status).toBe(400);
  });
});

// Defence: all of the above. What nobody thought of must at least not be a fault.
describe('whatever comes', () => {
  const address = () => ({ 'x-forwarded-for': newAddress() });

  test('no JSON body is a 5xx', async () => {
    const query = fc.oneof(
      fc.constantFrom(SIGN_UP, LOG_IN, CURRENT_USER, '{ __typename }', '{ authConfig { loginIdentifiers } }'),
      fc.string(),
      fc.stringMatching(/^[{}()[\]$:!@a-zA-Z_" .,0-9#|&=-]{0,60}$/),
      fc.jsonValue(),
    );
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.emailAddress(), fc.constant('\ud800\u0000'));
    const input = fc.record(
      {
        email: fc.oneof(text, fc.jsonValue()),
        password: fc.oneof(text, fc.jsonValue()),
        name: text,
        username: text,
        phone: text,
        credential: fc.oneof(fc.constantFrom('COOKIE', 'JWT'), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    const body = fc.oneof(
      fc.record({ query: fc.constantFrom(SIGN_UP, LOG_IN), variables: fc.record({ input }) }),
      fc.record(
        { query, variables: fc.jsonValue(), operationName: fc.jsonValue(), extensions: fc.jsonValue() },
        { requiredKeys: [] },
      ),
      fc.jsonValue(),
    );
    await fc.assert(
      fc.asyncProperty(body, async (value) => {
        const answer = await askRaw(JSON.stringify(value) ?? '', address());
        expect(answer.status, answer.text).toBeLessThan(500);
      }),
      { numRuns: 400 },
    );
    expect((await ask('{ __typename }')).status).toBe(200);
  });

  test('no header value is a 5xx', async () => {
    const name = fc.constantFrom(
      ...[
        'Accept',
        'Authorization',
        'Connection',
        'Content-Type',
        'Content-Encoding',
        'Cookie',
        'Expect',
        'Host',
        'Origin',
      ],
      ...[
        'Referer',
        'Sec-Fetch-Site',
        'Upgrade',
        'User-Agent',
        'X-Forwarded-For',
        'X-Forwarded-Host',
        'X-Session-Token',
      ],
    );
    const value = fc.oneof(
      fc.stringMatching(/^[ -~]{0,80}$/),
      fc.stringMatching(/^[\x80-\xff]{1,20}$/),
      fc.stringMatching(/^Bearer [ -~]{0,60}$/),
      fc.stringMatching(/^(postern|__Host-postern)=[ -~]{0,60}$/),
      fc.constantFrom(
        `ps_${'A'.repeat(43)}`,
        `postern=ps_${'A'.repeat(43)}`,
        '[::1',
        'a b',
        'http://',
        'a:99999',
        '%',
        '\\',
      ),
    );
    const body = '{"query":"{ currentUser { __typename } }"}';
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 4 }), async (headers) => {
        const lines = headers.map(([key, content]) => `${key}: ${content}`);
        const type = lines.some((line) => /^content-type/i.test(line)) ? [] : ['Content-Type: application/json'];
        const request = wire('POST /graphql', [...type, ...lines, 'Connection: close'], body);
        const { statuses, text } = await exchange(gateway.url, request, 2_000);
        expect(
          statuses.every((status) => status < 500),
          text,
        ).toBe(true);
      }),
      { numRuns: 300 },
    );
    expect((await ask('{ __typename }')).status).toBe(200);
  });

  test('no query string is a 5xx', async () => {
    const part = fc.oneof(
      fc.stringMatching(/^[!-~]{0,40}$/),
      fc.constantFrom('%', '%zz', '%00', '%ff', '&&', '=', '?', '#'),
    );
    const key = fc.constantFrom('query=', 'variables=', 'extensions=', 'operationName=', 'query=%7B__typename%7D&', '');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(key, part), { maxLength: 4 }), async (parts) => {
        const target = `/graphql?${parts.map(([name, value]) => name + value).join('&')}`;
        const { statuses, text } = await exchange(gateway.url, wire(`GET ${target}`, ['Connection: close']), 2_000);
        expect(
          statuses.every((status) => status < 500),
          `${target} ${text}`,
        ).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test('and nothing of it was a fault', () => {
    expect(gateway.logs.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });
});
