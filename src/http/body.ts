import type { IncomingMessage } from 'node:http';

/** Enough for every operation that anybody writes. */
const MAX_BODY_BYTES = 64 * 1024;

/** What reading a body came to. */
export type Body =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'tooLarge' };

/**
 * Reads a JSON body, and not a byte more than is allowed: whatever length the request claims, or none.
 * @throws NodeJS.ErrnoException if the client goes away in the middle
 */
export async function readJson(request: IncomingMessage): Promise<Body> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return { kind: 'tooLarge' };
  const chunks: Buffer[] = [];
  let length = 0;
  // Leaving the loop early ends the request, and takes its socket from it; the answer keeps its own hold of that.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) return { kind: 'tooLarge' };
    chunks.push(chunk);
  }
  try {
    return { kind: 'json', value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))) };
  } catch {
    return { kind: 'malformed' };
  }
}
