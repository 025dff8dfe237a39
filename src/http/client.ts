import type { IncomingMessage } from 'node:http';
import type { Caller } from '../flows/shared/outcomes.ts';
import { clientAddress } from '../lib/client-address.ts';

/** A user agent is shown to people and kept with the session: what is longer is cut. */
const MAX_USER_AGENT = 256;

/**
 * Where a request comes from.
 * @param trustedProxies how many right-most hops of X-Forwarded-For are ours
 */
export function clientOf(request: IncomingMessage, trustedProxies: number): Caller['client'] {
  return {
    ipAddress: clientAddress(request.socket.remoteAddress ?? '', forwardedFor(request), trustedProxies),
    userAgent: request.headers['user-agent']?.slice(0, MAX_USER_AGENT) ?? null,
  };
}

function forwardedFor({ headers }: IncomingMessage): string | undefined {
  const header = headers['x-forwarded-for'];
  return Array.isArray(header) ? header.join(',') : header;
}
