/** The cookie of a session: its name and attributes follow from whether the gateway is reached over https. */
export interface SessionCookieFormat {
  readonly name: string;
  set(token: string, expiresAt: Date): string;
  clear(): string;
}

/**
 * `__Host-` (RFC 6265bis §4.1.3.2) makes the browser itself refuse the cookie from any other host or over plain http.
 * It cannot be used without TLS, so development over http has a name of its own.
 */
export function sessionCookieFormat(publicUrl: string): SessionCookieFormat {
  const secure = publicUrl.startsWith('https://');
  const name = secure ? '__Host-postern' : 'postern';
  const attributes = `; Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  return {
    name,
    set: (token, expiresAt) => `${name}=${token}${attributes}; Expires=${expiresAt.toUTCString()}`,
    clear: () => `${name}=${attributes}; Expires=Thu, 01 Jan 1970 00:00:00 GMT`,
  };
}
