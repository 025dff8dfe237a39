import type { MediaType } from '../graphql/server.ts';

/** What a client takes an answer as. */
export interface Accepted {
  /** For a single result; null if it takes no JSON. */
  readonly json: MediaType | null;
  /** For many: whether it takes an event stream. */
  readonly eventStream: boolean;
}

/** What of the things that we send a range of media types stands for. */
const RANGES: ReadonlyMap<string, MediaType | 'text/event-stream'> = new Map([
  ['*/*', 'application/json'],
  ['application/*', 'application/json'],
  ['application/json', 'application/json'],
  ['application/graphql-response+json', 'application/graphql-response+json'],
  ['text/event-stream', 'text/event-stream'],
]);

const EVERYTHING: Accepted = { json: 'application/json', eventStream: false };

/**
 * What a client takes: of JSON the first form that it names and we have, in UTF-8. Weights are not looked at.
 * An event stream has to be asked for by name. Multipart answers are for operations that this schema does not have.
 */
export function accepted(accept = '*/*'): Accepted {
  // What most clients send, without a look at the parts.
  if (accept === '*/*' || accept === 'application/json') return EVERYTHING;
  let json: MediaType | null = null;
  let eventStream = false;
  for (const range of accept.toLowerCase().replace(/\s/g, '').split(',')) {
    const [type = '', ...parameters] = range.split(';');
    const charset = parameters.find((parameter) => parameter.includes('charset='));
    const found = RANGES.get(type);
    if (!found || (charset !== undefined && charset !== 'charset=utf-8')) continue;
    if (found === 'text/event-stream') eventStream = true;
    else json ??= found;
  }
  return { json, eventStream };
}
