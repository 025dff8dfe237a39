import type { Refusal } from '../request.ts';

/** An error that GraphQL servers answer with a status of its own, by `extensions.http`. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  readonly extensions: { readonly code: string; readonly http: { readonly status: number; readonly headers: unknown } };

  constructor({ status, body }: Refusal, headers: unknown) {
    super(body.error);
    this.extensions = { code: body.error.toUpperCase(), http: { status, headers } };
  }
}
