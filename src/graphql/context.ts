import type { App } from '../app.ts';
import type { Connection } from '../flows/shared/connection.ts';
import type { Caller } from '../flows/shared/outcomes.ts';
import type { IssuedCredential } from '../login/pipeline.ts';
import type { TrustedDevice } from '../login/trust.ts';

/** What a resolver may do to the answer beside its data. */
export interface Answer {
  /** The name of the cookie that holds a session. */
  readonly cookieName: string;
  /**
   * Gives a browser the cookie of its new session, or takes the one away that a token has replaced; and beside the
   * former the cookie by which the browser is trusted from now on, if it is.
   */
  holdSession(issued: IssuedCredential, trustedDevice: TrustedDevice | null): void;
  /** Takes the cookie away and asks the browser to forget what it stored of this origin. */
  releaseSession(): void;
}

/**
 * For what stays open, where no cookie can be set any more. Nothing that hands out a credential goes over it, and a
 * cookie that is left behind by a session that ended opens nothing.
 */
export const NO_COOKIES: Answer = {
  cookieName: '',
  holdSession() {
    throw new Error('a credential was to be handed out where no cookie can be set');
  },
  releaseSession: () => undefined,
};

/** What every resolver gets. The same for each operation of a request, and changed by none. */
export interface Context {
  readonly app: App;
  readonly caller: Caller;
  readonly answer: Answer;
  readonly requestId: string;
  /** What the operation came through, if it stays open and somebody is behind it. */
  readonly connection: Connection | null;
  /** Of a subscription: the id of the last event that the client got, if its transport says so. */
  readonly lastEventId: string | null;
  /** Of a subscription: aborted once nobody wants more of it. */
  readonly signal: AbortSignal | null;
}

/** What a subscription hands to its resolver, time after time. */
export interface Payload<T> {
  readonly value: T;
  /** Of an event: what a client resumes after. */
  readonly eventId: string | null;
}
