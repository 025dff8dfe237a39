import type { Parameters } from '../graphql/server.ts';

/** What a parameter may be, if it is there at all (GraphQL over HTTP, "Request Parameters"). */
const PARAMETERS: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['query', isText],
  ['operationName', isText],
  ['variables', isObject],
  ['extensions', isObject],
]);

/**
 * Values in the variables of a request, nested ones too: what the engine says of an unfit one grows with all of them.
 * A gateway that names a hundred entities sends three for each.
 */
const MAX_VALUES = 320;

/**
 * The parameters of a body, or null unless it holds a document and nothing but what belongs to it, each in its own
 * form. What else is wrong with them is for the GraphQL server to say.
 */
export function readParameters(body: unknown): Parameters | null {
  if (!isObject(body)) return null;
  for (const [name, value] of Object.entries(body)) {
    const fits = PARAMETERS.get(name);
    if (!fits || (value !== null && !fits(value))) return null;
  }
  const { query, variables = null, operationName = null } = body as Partial<Parameters>;
  return query && countValues(variables, MAX_VALUES) <= MAX_VALUES ? { query, variables, operationName } : null;
}

/** The same for the parameters of a URL, where objects are written as JSON. What is none of them is left alone. */
export function readUrlParameters(url: string): Parameters | null {
  const given = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '');
  // The empty string stands for nothing at all here.
  const text = (name: string) => given.get(name) || null;
  const object = (name: string) => {
    const json = text(name);
    return json && readJson(json);
  };
  return readParameters({
    query: text('query'),
    operationName: text('operationName'),
    variables: object('variables'),
    extensions: object('extensions'),
  });
}

/** Counts until there are more than `enough`. Without recursion: what nests deep enough would overflow the stack. */
function countValues(whole: unknown, enough: number): number {
  const values = [whole];
  for (let at = 0; at < values.length && values.length <= enough; at += 1) {
    const value = values[at];
    if (typeof value === 'object' && value !== null) values.push(...Object.values(value).slice(0, enough + 1));
  }
  return values.length;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
