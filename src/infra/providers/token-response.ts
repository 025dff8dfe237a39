import type { Protocol } from '../../providers/provider.ts';
import type { BoundedFetch } from './bounded-fetch.ts';

/**
 * The same fetch, whose token responses read as RFC 6749 §5.1 writes them: some providers send the scope as a list, or
 * leave the type of the token out. What plain OAuth 2.0 says of a person is what its resources say: an ID token that
 * comes along has nobody to check it, and is left out.
 */
export function tolerantTokens(
  fetcher: BoundedFetch,
  tokenEndpoint: string | undefined,
  { kind }: Protocol,
): BoundedFetch {
  return async (url, options) => {
    const response = await fetcher(url, options);
    if (String(url) !== tokenEndpoint || !response.ok) return response;
    const body: unknown = await response
      .clone()
      .json()
      .catch(() => null);
    if (typeof body !== 'object' || body === null) return response;
    const { scope, id_token: idToken, ...others } = body as Record<string, unknown>;
    const read = {
      token_type: 'bearer',
      ...others,
      ...(scope === undefined || scope === null ? {} : { scope: Array.isArray(scope) ? scope.join(' ') : scope }),
      ...(kind === 'oauth2' || idToken === undefined ? {} : { id_token: idToken }),
    };
    return Response.json(read, { status: response.status, headers: response.headers });
  };
}
