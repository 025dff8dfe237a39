import { generateSync } from 'otplib';
import { type Reply, writeRequest } from './http-client.ts';

/** Somebody with an account, and what they hold. */
export interface Person {
  readonly email: string;
  readonly password: string;
  /** Where their requests come from. */
  readonly address: string;
  readonly sessionToken?: string;
  readonly accessToken?: string;
  readonly refreshToken?: string;
  /** Of a login that awaits a code. */
  readonly loginToken?: string;
  readonly code?: string;
  /** Of an authenticator app, base32. */
  readonly totpSecret?: string;
}

/** What is asked for, and by whom. Each request is somebody else's, in turn. */
export type Work =
  | { readonly kind: 'currentUser'; readonly people: readonly Person[]; readonly by: 'sessionToken' | 'accessToken' }
  | { readonly kind: 'logIn'; readonly people: readonly Person[]; readonly credential: 'SESSION_TOKEN' | 'JWT' }
  | { readonly kind: 'signUp'; readonly people: readonly Person[] }
  | { readonly kind: 'requestCode'; readonly people: readonly Person[] }
  | { readonly kind: 'logInWithCode'; readonly people: readonly Person[] }
  | { readonly kind: 'verifyEmail'; readonly people: readonly Person[] }
  | { readonly kind: 'verifyMfa'; readonly people: readonly Person[] }
  | { readonly kind: 'refresh'; readonly people: readonly Person[] }
  | { readonly kind: 'logOut'; readonly people: readonly Person[] };

/** One request, and who learns of the answer. */
export interface Errand {
  readonly request: Buffer;
  onReply?(body: string): void;
}

/** Where requests come from; null when there are no more, or none at the moment. */
export interface Errands {
  next(): Errand | null;
  /** The people, with what the answers gave them. */
  readonly people: readonly Person[];
}

export const CURRENT_USER = '{ currentUser { __typename ... on User { id email hasMfa } } }';

const STEP = `__typename ... on LoggedIn { user { id } credential {
  ... on SessionToken { token } ... on TokenPair { accessToken refreshToken } } } ... on PendingLogin { loginToken } ... on RateLimited { retryAfter }`;
const LOG_IN = `mutation ($input: LogInWithPasswordInput!) { logInWithPassword(input: $input) { ${STEP} } }`;
const SIGN_UP = `mutation ($input: SignUpInput!) { signUp(input: $input) { ${STEP} } }`;
const REQUEST_CODE = `mutation ($input: RequestLoginCodeInput!) { requestLoginCode(input: $input) {
  __typename ... on PendingLogin { loginToken } } }`;
const LOG_IN_WITH_CODE = `mutation ($input: LogInWithCodeInput!) { logInWithCode(input: $input) { ${STEP} } }`;
const VERIFY_EMAIL = `mutation ($input: VerifyEmailInput!) { verifyEmail(input: $input) { ${STEP} } }`;
const VERIFY_MFA = `mutation ($input: VerifyMfaInput!) { verifyMfa(input: $input) { ${STEP} } }`;
const REFRESH = `mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) {
  __typename ... on SessionTokensRefreshed { credential { accessToken refreshToken } } } }`;
const LOG_OUT = 'mutation { logOut { __typename } }';

/** People with an address and a password of their own each, from IP addresses of their own. */
export function makePeople(count: number, group: string): Person[] {
  return Array.from({ length: count }, (_, index) => ({
    email: `${group}.${index}@example.com`,
    password: `tall ladder ${index} in the library`,
    address: `10.${group.length}.${index >> 8}.${index & 255}`,
  }));
}

/** The requests of some work. What can be written out beforehand is. */
export function errandsFor(work: Work): Errands {
  const people = [...work.people];
  if (work.kind === 'currentUser') {
    return inTurn(people, ({ address, [work.by]: token = '' }) => writeAs(address, { query: CURRENT_USER }, token));
  }
  if (work.kind === 'logOut') {
    return inTurn(people, ({ address, sessionToken }) => writeAs(address, { query: LOG_OUT }, sessionToken));
  }
  if (work.kind === 'refresh') return refreshes(people);

  const learn = (index: number, body: string) => {
    const person = people[index];
    if (person) people[index] = { ...person, ...tokensIn(body) };
  };
  if (work.kind === 'requestCode') {
    const ask = ({ email, address }: Person) =>
      writeAs(address, { query: REQUEST_CODE, variables: { input: { email } } });
    return once(people, ask, learn);
  }
  if (work.kind === 'logInWithCode' || work.kind === 'verifyEmail') {
    const query = work.kind === 'verifyEmail' ? VERIFY_EMAIL : LOG_IN_WITH_CODE;
    const answer = ({ address, loginToken: handle, code }: Person) =>
      writeAs(address, { query, variables: { input: { proof: { code: { handle, code } } } } });
    return once(people, answer, learn);
  }
  if (work.kind === 'verifyMfa') {
    const answer = ({ address, loginToken, totpSecret: secret = '' }: Person) => {
      const proof = { totp: generateSync({ secret }) };
      return writeAs(address, { query: VERIFY_MFA, variables: { input: { loginToken, proof } } });
    };
    return once(people, answer, learn);
  }
  const query = work.kind === 'signUp' ? SIGN_UP : LOG_IN;
  const credential = work.kind === 'signUp' ? 'SESSION_TOKEN' : work.credential;
  const write = ({ email, password, address }: Person) =>
    writeAs(address, { query, variables: { input: { email, password, credential } } });
  return work.kind === 'signUp' ? once(people, write, learn) : inTurn(people, write, learn);
}

/** What an answer came to, in a word: the type of the result, or what went wrong. */
export function outcomeOf({ status, body }: Reply): string {
  if (status === 0) return 'connection lost';
  if (status !== 200) return `HTTP ${status}`;
  if (body.includes('"errors":')) return 'errors';
  return textOf('__typename', body) ?? 'no result';
}

/** The outcomes that the API has types for. All others are faults. */
export function isTyped(outcome: string): boolean {
  return /^[A-Z][a-z]+([A-Z][a-z]+)*$/.test(outcome);
}

type Learn = (index: number, body: string) => void;

function inTurn(people: Person[], write: (person: Person) => Buffer, learn?: Learn): Errands {
  const requests = people.map(write);
  let turn = 0;
  return {
    people,
    next() {
      const index = turn++ % requests.length;
      const request = requests[index];
      return request ? { request, ...(learn ? { onReply: (body) => learn(index, body) } : {}) } : null;
    },
  };
}

function once(people: Person[], write: (person: Person) => Buffer, learn: Learn): Errands {
  let turn = 0;
  return {
    people,
    next() {
      const index = turn++;
      const person = people[index];
      return person ? { request: write(person), onReply: (body) => learn(index, body) } : null;
    },
  };
}

// A refresh token works once, and a session may be refreshed so often: each chain waits for its turn.
function refreshes(people: Person[]): Errands {
  const most = 28;
  const chains = people.map((person, index) => ({ person, index, uses: 0 }));
  return {
    people,
    next() {
      const chain = chains.shift();
      if (!chain) return null;
      const { person, index, uses } = chain;
      const variables = { input: { refreshToken: person.refreshToken } };
      return {
        request: writeAs(person.address, { query: REFRESH, variables }),
        onReply(body) {
          const renewed = { ...person, ...tokensIn(body) };
          people[index] = renewed;
          if (uses + 1 < most) chains.push({ person: renewed, index, uses: uses + 1 });
        },
      };
    },
  };
}

function writeAs(address: string, body: object, token?: string): Buffer {
  return writeRequest(body, {
    'X-Forwarded-For': address,
    ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
  });
}

function tokensIn(body: string): Partial<Person> {
  const sessionToken = textOf('token', body);
  const accessToken = textOf('accessToken', body);
  const refreshToken = textOf('refreshToken', body);
  const loginToken = textOf('loginToken', body);
  return {
    ...(sessionToken ? { sessionToken } : {}),
    ...(accessToken ? { accessToken } : {}),
    ...(refreshToken ? { refreshToken } : {}),
    ...(loginToken ? { loginToken } : {}),
  };
}

function textOf(field: string, body: string): string | undefined {
  const begin = body.indexOf(`"${field}":"`);
  if (begin < 0) return undefined;
  const from = begin + field.length + 4;
  return body.slice(from, body.indexOf('"', from));
}
