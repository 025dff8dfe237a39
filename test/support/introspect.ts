import type { Gateway } from './gateway.ts';

/** Two services, of which the second rotates its secret. */
export const ORDERS = { id: 'orders', secret: 'k3TQ0nYw5m1zVb8uRf2sXc7dJh4gLp9aEi6o' } as const;
export const STOCK = {
  id: 'stock',
  secrets: ['an-old:secret/of+32=characters-or-more', 'Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0'],
} as const;
export const SERVICES = {
  POSTERN_SERVICES: [`${ORDERS.id}:${ORDERS.secret}`, ...STOCK.secrets.map((secret) => `${STOCK.id}:${secret}`)].join(
    ',',
  ),
};

/** The header of `client_secret_basic`. */
export function basic(id: string, secret: string): string {
  const encode = (text: string) => encodeURIComponent(text).replaceAll('%20', '+');
  return `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`;
}

/** Asks whose a token is, and reads the answer. */
export async function introspect(
  gateway: Pick<Gateway, 'url'>,
  form: Record<string, string> | [string, string][] | string,
  headers: Record<string, string> = { authorization: basic(ORDERS.id, ORDERS.secret) },
) {
  const body = typeof form === 'string' ? form : new URLSearchParams(form).toString();
  const response = await fetch(`${gateway.url}/introspect`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body,
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : text };
}
