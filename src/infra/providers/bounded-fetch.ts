import type { FetchBody } from 'openid-client';

/** A provider that does not answer, or not as one does. */
export class ProviderUnreachable extends Error {
  override readonly name = 'ProviderUnreachable';
}

/** Fetches within bounds. */
export type BoundedFetch = (url: string | URL, options?: FetchOptions) => Promise<Response>;

/** What our libraries and we ask for. */
export interface FetchOptions {
  readonly method?: string;
  readonly headers?: ConstructorParameters<typeof Headers>[0];
  readonly body?: FetchBody;
  readonly signal?: AbortSignal | null | undefined;
  readonly redirect?: 'manual';
}

const MAX_RESPONSE_BYTES = 2 ** 20;

/**
 * Makes a fetch that reads a mebibyte at most, follows no redirect (what it carries is for this server only), and gives
 * up at a deadline.
 * @param deadlineOf the signal of the operation that is running
 * @returns a fetch that rejects with {@link ProviderUnreachable} for whatever is not an answer
 */
export function boundedFetch(deadlineOf: () => AbortSignal | undefined): BoundedFetch {
  return async (url, { method = 'GET', headers, body: sent = null, signal } = {}) => {
    const signals = [signal, deadlineOf()].filter((each) => each instanceof AbortSignal);
    const asked = new Headers(headers);
    // GitHub answers nobody who does not say who they are.
    asked.set('user-agent', 'postern');
    try {
      const response = await fetch(url, {
        method,
        headers: asked,
        body: sent as BodyInit | null,
        redirect: 'manual',
        signal: AbortSignal.any(signals),
      });
      if (response.status >= 500 || (response.status >= 300 && response.status < 400))
        throw new ProviderUnreachable(`it answers with ${response.status}`);
      const body = await readBounded(response);
      const kept = new Headers(response.headers);
      // It was read already, and is as long as it is.
      kept.delete('content-encoding');
      kept.delete('content-length');
      return new Response(body.length === 0 ? null : body, { status: response.status, headers: kept });
    } catch (error) {
      if (error instanceof ProviderUnreachable) throw error;
      throw new ProviderUnreachable('it does not answer', { cause: error });
    }
  };
}

async function readBounded(response: Response): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_RESPONSE_BYTES) throw new ProviderUnreachable('its answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
