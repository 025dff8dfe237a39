/** A cookie: its name and attributes follow from whether the gateway is reached over https. */
export interface CookieFormat {
  readonly name: string;
  set(token: string, expiresAt: Date): string;
  clear(): string;
}

/** The cookie that holds a session. */
export function sessionCookie(publicUrl: string): CookieFormat {
  return cookieFormat('postern', publicUrl);
}

/**
 * `__Host-` (RFC 6265bis §4.1.3.2) makes the browser itself refuse the cookie from any other host or over plain http.
 * It cannot be used without TLS, so development over http has the name without it.
 */
export function cookieFormat(plainName: string, publicUrl: string): CookieFormat {
  const secure = publicUrl.startsWith('https://');
  const name = secure ? `__Host-${plainName}` : plainName;
  const attributes = `; Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  return {
    name,
    set: (token, expiresAt) => `${name}=${token}${attributes}; Expires=${expiresAt.toUTCString()}`,
    clear: () => `${name}=${attributes}; Expires=Thu, 01 Jan 1970 00:00:00 GMT`,
  };
}
