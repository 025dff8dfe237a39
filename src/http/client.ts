import type { IncomingMessage } from 'node:http';
import type { App } from '../app.ts';
import type { Caller } from '../flows/shared/outcomes.ts';
import { clientAddress } from '../lib/client-address.ts';

/** A user agent is shown to people and kept with the session: what is longer is cut. */
const MAX_USER_AGENT = 256;

/** Where a request comes from: by the operator's hook, or else by the proxies that are trusted. */
export function clientOf(request: IncomingMessage, { config, hooks }: App): Caller['client'] {
  const peer = request.socket.remoteAddress ?? '';
  const told = hooks.clientAddress?.({ peer, headers: headersOf(request) }) ?? null;
  return {
    ipAddress: told ?? clientAddress(peer, forwardedFor(request), config.trustedProxies),
    userAgent: request.headers['user-agent']?.slice(0, MAX_USER_AGENT) ?? null,
  };
}

function forwardedFor({ headers }: IncomingMessage): string | undefined {
  const header = headers['x-forwarded-for'];
  return Array.isArray(header) ? header.join(',') : header;
}

/** Headers that carry credentials, which say nothing of where somebody is. */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization', 'x-session-token']);

function headersOf({ headers }: IncomingMessage): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      CREDENTIALS.has(name) || value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
}
