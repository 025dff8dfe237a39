import type { IncomingMessage } from 'node:http';
import type { App } from '../app.ts';
import { type Identification, identify } from '../flows/identify.ts';
import { sessionCookie } from './cookie.ts';
import { presentedCredential, TOO_MANY_CREDENTIALS } from './credentials.ts';
import { isAllowedOrigin } from './origin.ts';

/** Finds out who asks, for a program that has Postern inside. */
export type Identify = (request: Pick<IncomingMessage, 'headers' | 'rawHeaders'> | Request) => Promise<Identification>;

/**
 * By every credential that Postern takes, the cookie included. A page of another origin is nobody, whatever its browser
 * sends along; so is a request with two credentials.
 */
export function createIdentify(app: App): Identify {
  const cookieName = sessionCookie(app.config.publicUrl).name;
  return async (request) => {
    const { headers, rawHeaders } = request instanceof Request ? linesOf(request) : request;
    const credential = presentedCredential({ rawHeaders }, cookieName);
    const isRefused = credential === TOO_MANY_CREDENTIALS || !isAllowedOrigin(headers, app.config.allowedOrigins);
    return isRefused ? { kind: 'Unidentified', reason: 'INVALID_CREDENTIAL' } : identify(app, credential);
  };
}

function linesOf({ headers }: Request): Pick<IncomingMessage, 'headers' | 'rawHeaders'> {
  return { headers: Object.fromEntries(headers), rawHeaders: [...headers].flat() };
}
