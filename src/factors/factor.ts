import type { Authenticator, AuthenticatorData } from '../records/authenticators.ts';
import type { Unit } from '../unit.ts';

/** An answer as a client gives it: what somebody typed, or the response of a browser to a challenge. */
export type FactorAnswer = string | Readonly<Record<string, unknown>>;

/** What an answer is held to. */
export interface FactorQuestion {
  readonly userId: string;
  /** What a response has to sign; null where nothing was asked for. */
  readonly challenge: Buffer | null;
  /** Whether the authenticator must have verified who uses it: where it is all that stands for a person. */
  readonly verifiesUser: boolean;
  /** Whether nobody was named before: then the answer itself must say whose it is. */
  readonly identifies?: boolean;
}

/** A use of an authenticator that is right, and what it changes of the authenticator's data. */
export interface FactorUse {
  readonly authenticator: Authenticator;
  readonly data: AuthenticatorData;
  /** Whether the authenticator verified who used it, so that this use alone is two factors. */
  readonly verifiedUser?: boolean;
}

/**
 * A kind of thing by which a person proves more than the first factor of a login does. What limits the checks, counts
 * them and makes each answer work once is the same for all; a factor says what is right.
 */
export interface Factor {
  /** What an answer is: something typed, or the response to a challenge (WebAuthn). */
  readonly answer: 'CODE' | 'RESPONSE';
  /** The GraphQL type of what a person holds of it. */
  readonly type: string;
  /** Whether a login asks for a second factor once a person has one. If not, it only stands in for the others. */
  readonly asked: boolean;
  /**
   * Whether guessing could ever be right: then a hundred wrong answers in a row disable what a person holds of it (NIST SP
   * 800-63B-4 §3.2.2). What has 64 bits and more does not wear out, or whoever knows a password could take it away.
   * `MARKED`: only what has `guessable: true` in its data, as shorter ones that came along from another system.
   */
  readonly guessable: boolean | 'MARKED';
  /** Whether every answer of this one was used. Left out where it always has another. */
  isUsedUp?(authenticator: Pick<Authenticator, 'data'>): boolean;
  /**
   * Checks an answer. Whatever it is, and however malformed: it is right or it is not.
   * @param held what the person holds of this factor and may use
   * @returns null if it is not right
   */
  check(
    answer: FactorAnswer,
    held: readonly Authenticator[],
    question: FactorQuestion,
    unit: Unit,
  ): Promise<FactorUse | null>;
}
