import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * The headers that an answer will have, names and values in turn: the one form that Node writes without sorting and
 * copying. What happens on the way to the answer may add to it.
 */
export type Head = string[];

/** A request on its way to its answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  /** What every answer carries; the answer's own headers are added to it. */
  readonly head: Head;
  /** From now on the answer takes as long as it takes. */
  liftDeadline(): void;
}

/** Writes an answer of JSON, unless the deadline has written another in the meantime. */
export function sendJson(
  response: ServerResponse,
  status: number,
  head: readonly string[],
  body: object,
  mediaType = 'application/json',
): void {
  if (response.headersSent) return;
  const text = JSON.stringify(body);
  const length = String(Buffer.byteLength(text));
  response.writeHead(status, [...head, 'Content-Type', `${mediaType}; charset=utf-8`, 'Content-Length', length]);
  response.end(text);
}
