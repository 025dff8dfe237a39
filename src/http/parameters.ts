/** What a parameter may be, if it is there at all (GraphQL over HTTP, "Request Parameters"). */
const PARAMETERS: Readonly<Record<string, (value: unknown) => boolean>> = {
  query: isText,
  operationName: isText,
  variables: isObject,
  extensions: isObject,
};

/**
 * Whether a body holds a document and nothing but what belongs to it, each in its own form. What else is wrong with
 * them is for the GraphQL server to say.
 */
export function areParameters(body: unknown): boolean {
  return (
    isObject(body) &&
    isText(body.query) &&
    Object.entries(body).every(
      ([name, value]) => Object.hasOwn(PARAMETERS, name) && (value === null || PARAMETERS[name]?.(value)),
    )
  );
}

/** The same for the parameters of a URL, where objects are written as JSON. What is none of them is left alone. */
export function areUrlParameters(url: string): boolean {
  const given = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '');
  // The empty string stands for nothing at all here.
  const object = (name: string) => (given.get(name) ? readJson(given.get(name) ?? '') : null);
  return areParameters({ query: given.get('query'), variables: object('variables'), extensions: object('extensions') });
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
