import { connectLive, type Following } from './socket.ts';

export interface GraphQLFault {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: Record<string, unknown>;
}

/** An answer, with its body read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The body as it came. */
  readonly text: string;
  /** The value of the first root field of `data`, or null. */
  readonly result: Result;
  readonly errors: readonly GraphQLFault[];
}

/** One result of a union: its tag, and whatever was selected of it. */
export interface Result {
  readonly __typename: string;
  readonly [field: string]: unknown;
}

/** A GraphQL client over HTTP, such as an app holds: headers that stay, one request at a time or many. */
export class GraphQLClient {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(url: string, headers: Readonly<Record<string, string>>) {
    this.url = url;
    this.headers = headers;
  }

  /** The same client with other headers on top. */
  with(headers: Record<string, string>): GraphQLClient {
    return new GraphQLClient(this.url, { ...this.headers, ...headers });
  }

  /** The same client, holding a session token or a JWT. */
  bearing(token: string): GraphQLClient {
    return this.with({ authorization: `Bearer ${token}` });
  }

  /** Sends an operation and reads the answer. */
  async send(query: string, variables: Record<string, unknown> = {}): Promise<Answer> {
    const response = await this.post(JSON.stringify({ query, variables }));
    return readAnswer(response);
  }

  /**
   * Subscribes over a socket of its own, with the credential that this client holds.
   * @returns what comes; its socket is closed at the end, or by `stop`
   */
  subscribe(query: string, variables: Record<string, unknown> = {}): Following {
    const { authorization, ...headers } = this.headers;
    // Sockets of apps show their token in the first message.
    const token = authorization === undefined ? {} : { token: authorization.replace(/^Bearer /, '') };
    return connectLive(this.url, { ...token, headers, idle: 0 }).follow(query, variables);
  }

  /** Sends any body. */
  post(body: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...this.headers, ...headers },
      body,
    });
  }
}

export async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const body = parse(text);
  const [result] = Object.values(body.data ?? {});
  return {
    status: response.status,
    headers: response.headers,
    text,
    result: (result ?? { __typename: '' }) as Result,
    errors: body.errors ?? [],
  };
}

function parse(text: string): { data?: Record<string, unknown> | null; errors?: GraphQLFault[] } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
