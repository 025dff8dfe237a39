import type { App } from '../app.ts';
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

/** What every resolver gets. The same for each operation of a request, and changed by none. */
export interface Context {
  readonly app: App;
  readonly caller: Caller;
  readonly answer: Answer;
  readonly requestId: string;
}
