import type { PendingLogin, StoredLogin } from '../records/pending-logins.ts';
import type { Unit } from '../unit.ts';

/** What a stage asks for: facts for the client, told apart by `kind`. */
export interface Prompt {
  readonly kind: string;
}

/** One question between proving who you are and owning a session. */
export interface Stage<P extends Prompt = Prompt> {
  /**
   * What is still missing, read from facts; null once nothing is. Asking twice changes nothing.
   * @param login not stored yet, if it has just begun
   */
  prompt(login: PendingLogin & { readonly id?: string }, unit: Unit): Promise<P | null>;
  /** Runs once, when a login first stops here: the place to send a code. */
  enter?(login: StoredLogin, unit: Unit): Promise<void>;
}

/** The stages in the order in which a login meets them. */
export type Stages = Readonly<Record<string, Stage>>;

/** A prompt with the token that carries its login on. */
export type Asking<P extends Prompt> = P & { readonly loginToken: string; readonly expiresAt: Date };

/** The prompts of a list of stages: a new stage does not compile until its prompt has a GraphQL type. */
export type PromptOf<S extends Stages> = { [K in keyof S]: S[K] extends Stage<infer P> ? Asking<P> : never }[keyof S];
