import type { Parameters } from '../graphql/server.ts';

/** What a parameter may be, if it is there at all (GraphQL over HTTP, "Request Parameters"). */
const PARAMETERS: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['query', isText],
  ['operationName', isText],
  ['variables', isObject],
  ['extensions', isObject],
]);

/** Values in the variables of a request, nested ones too: what the engine says of an unfit one grows with all of them. */
const MAX_VALUES = 300;

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

/** Counts until there are more than `enough`. Bodies are small, so no nesting of theirs overflows the stack. */
function countValues(value: unknown, enough: number): number {
  if (typeof value !== 'object' || value === null) return 1;
  let count = 1;
  for (const part of Object.values(value)) {
    count += countValues(part, enough - count);
    if (count > enough) return count;
  }
  return count;
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
