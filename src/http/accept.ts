import type { MediaType } from '../graphql/server.ts';

/** The media ranges that take an answer of ours, and what it is sent as. */
const ANSWERS: ReadonlyMap<string, MediaType> = new Map([
  ['*/*', 'application/json'],
  ['application/*', 'application/json'],
  ['application/json', 'application/json'],
  ['application/graphql-response+json', 'application/graphql-response+json'],
]);

/**
 * What to send an answer as: the first of what a client accepts that we have, in UTF-8, or null. Weights are not
 * looked at. Event streams and multipart answers are for operations that this schema does not have.
 */
export function acceptedMediaType(accept = '*/*'): MediaType | null {
  const plain = ANSWERS.get(accept);
  if (plain) return plain;
  for (const range of accept.toLowerCase().replace(/\s/g, '').split(',')) {
    const [type = '', ...parameters] = range.split(';');
    const charset = parameters.find((parameter) => parameter.includes('charset='));
    const answer = ANSWERS.get(type);
    if (answer && (charset === undefined || charset === 'charset=utf-8')) return answer;
  }
  return null;
}
