import type { IncomingMessage } from 'node:http';

/** Enough for every operation that anybody writes. */
const MAX_BODY_BYTES = 64 * 1024;

/** What reading a body came to. */
export type Body =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'tooLarge' };

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a JSON body, and not a byte more than is allowed: whatever length the request claims, or none.
 * @throws NodeJS.ErrnoException if the client goes away in the middle
 */
export function readJson(request: IncomingMessage): Promise<Body> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return Promise.resolve({ kind: 'tooLarge' });
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MAX_BODY_BYTES) chunks.push(chunk);
      else {
        // Nothing more of it is kept; what still comes is dropped until the refusal has closed the connection.
        chunks.length = 0;
        resolve({ kind: 'tooLarge' });
      }
    });
    request.on('end', () => resolve(parse(chunks)));
    request.on('error', reject);
  });
}

function parse(chunks: readonly Buffer[]): Body {
  const [first] = chunks;
  try {
    const bytes = chunks.length === 1 && first ? first : Buffer.concat(chunks);
    return { kind: 'json', value: JSON.parse(utf8.decode(bytes)) };
  } catch {
    return { kind: 'malformed' };
  }
}
