/** A client of Postern in the few lines that it takes, for the scripts beside this file. */
export const url = process.env.AUTH_URL ?? 'http://localhost:4000';

/** One result of a union: its name, and whatever was asked for of it. */
export interface Result {
  readonly __typename: string;
  readonly [field: string]: unknown;
}

/** Sends an operation with one field; gives the value of that field. */
export async function ask(query: string, input?: object, token?: string): Promise<Result> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data, errors } = (await response.json()) as { data?: Record<string, Result>; errors?: unknown };
  const [result] = Object.values(data ?? {});
  if (!result) throw new Error(`${response.status} ${JSON.stringify(errors)}`);
  return result;
}

/** Asks, and takes one kind of answer: a script has nobody to show another to. */
export async function demand(kind: string, query: string, input?: object, token?: string): Promise<Result> {
  const result = await ask(query, input, token);
  if (result.__typename !== kind) throw new Error(`expected ${kind}, got ${JSON.stringify(result)}`);
  return result;
}

/** What a login asks for of its answer, whatever that is. */
export const LOGIN = `
  __typename
  ... on LoggedIn { user { id email hasMfa } session { id methods { method } } credential { ... on SessionToken { token } } }
  ... on PendingLogin { loginToken }
  ... on MfaRequired { factors }
  ... on Problem { message }`;

/** The session token of a login that is through. */
export function tokenOf(loggedIn: Result): string {
  return (loggedIn.credential as { token: string }).token;
}

const read = new Set<string>();

/** The text of the next mail to somebody. On a development machine mails are not sent, but kept at /outbox. */
export async function nextMail(to: string): Promise<string> {
  for (let tries = 0; tries < 100; tries += 1) {
    const response = await fetch(`${url}/outbox`, { headers: { accept: 'application/json' } });
    const { mails } = (await response.json()) as { mails: { id: string; to: string; text: string }[] };
    // The newest stands first.
    const mail = mails.findLast((each) => each.to === to && !read.has(each.id));
    if (mail) {
      read.add(mail.id);
      return mail.text;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no mail for ${to}`);
}

/** The code of a mail, as a person would type it. */
export function codeIn(mail: string): string {
  return /^\s*([A-Z]{4}-[A-Z]{4})\s*$/m.exec(mail)?.[1] ?? '';
}

/** Somebody new, signed up by a password and verified by the code of the mail. */
export async function somebody(): Promise<{ email: string; password: string; token: string }> {
  const person = { email: `ada.${crypto.randomUUID()}@example.com`, password: 'correct horse battery staple' };
  const { loginToken } = await demand(
    'EmailVerificationRequired',
    `mutation ($input: SignUpInput!) { signUp(input: $input) { ${LOGIN} } }`,
    person,
  );
  const loggedIn = await demand(
    'LoggedIn',
    `mutation ($input: VerifyEmailInput!) { verifyEmail(input: $input) { ${LOGIN} } }`,
    { proof: { code: { handle: loginToken, code: codeIn(await nextMail(person.email)) } } },
  );
  return { ...person, token: tokenOf(loggedIn) };
}
