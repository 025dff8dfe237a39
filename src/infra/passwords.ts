import { type Argon2Parameters, makeDecoy, parametersOf, sameParameters } from '../lib/argon2.js';
import { readForeignHash } from '../lib/foreign-hash.js';
import { canBePassword, normalizePassword, type PasswordRejection, rejections } from '../lib/password-policy.ts';
import type { BreachedPasswords } from './breached-passwords.ts';
import { isCommonPassword } from './common-passwords.ts';
import { createHashingPool, type HashingPool, type HashingSlot } from './password-pool.ts';

/**
 * A hash in PHC format, and the id of the pepper that went into it; null if none did. Or one that another system made, in
 * one of the forms of `lib/foreign-hash.js`, until the next login.
 */
export interface PasswordHash {
  readonly hash: string;
  readonly pepperKeyId: string | null;
}

/** A secret that is kept outside of the database, and the id by which a stored hash names it. */
export interface Pepper {
  readonly id: string;
  readonly key: Buffer;
}

/** All that is done with passwords. */
export interface Passwords {
  /**
   * Reasons to refuse a new password, or [].
   * @param context the least length in code points; the person's addresses, names and other words of theirs
   */
  refuse(
    password: string,
    context: { readonly minLength: number; readonly words: readonly string[] },
  ): Promise<PasswordRejection[]>;
  /** Whether a password is in a known breach; false where nobody is asked, or nobody answers. */
  isBreached(password: string): Promise<boolean>;
  /** A place to hash in, or null at once when hashing is saturated. To be taken before any database work. */
  reserve(): PasswordSlot | null;
  /** Waits for the work that was begun, and ends the threads. */
  close(): Promise<void>;
}

/** A place to hash in, for one password at a time. Whoever takes one releases it, whatever happens. */
export interface PasswordSlot {
  /**
   * Hashes a password with the current parameters and pepper.
   * @throws TypeError for text that {@link Passwords.refuse} refuses unseen: endless, or with lone surrogates
   */
  hash(password: string): Promise<PasswordHash>;
  /**
   * Compares a password with a stored one. Takes the work of a hash in any case, also if there is none to compare with,
   * or none that could be verified: its pepper is gone, or it is malformed.
   * @returns needsRehash if it matches, but was made with other parameters or another pepper than the current ones
   */
  verify(password: string, stored: PasswordHash | null): Promise<{ matches: boolean; needsRehash: boolean }>;
  /**
   * Takes what is missing of the work of a refusal, while there are foreign hashes: then each takes the work of a hash of
   * ours and of a foreign one, so that the time does not tell who came along from another system, and who is nobody.
   * @param stored what {@link verify} compared with
   * @param foreign the hash of anybody who came along; null once there is none
   */
  evenOut(password: string, stored: PasswordHash | null, foreign: string | null): Promise<void>;
  /** Gives the place back. Doing so twice changes nothing. */
  release(): void;
}

/** What passwords are hashed with. */
export interface PasswordsOptions {
  readonly parameters: Argon2Parameters;
  /** The first is the current one, all of them verify. None: hashes are not peppered. */
  readonly peppers: readonly Pepper[];
  /** Asked last, about passwords that nothing else refuses. Not knowing is no reason to refuse one. */
  readonly isBreached?: BreachedPasswords;
  /** One of its own by default; either is closed with these passwords. */
  readonly pool?: HashingPool;
}

/** Passwords over a pool of threads. */
export function createPasswords(options: PasswordsOptions): Passwords {
  const { isBreached, pool = createHashingPool() } = options;
  const keeper = createKeeper(options);
  const isKnownBreached = async (password: string) =>
    isBreached !== undefined && (await isBreached(normalizePassword(password))) === 'breached';

  return {
    async refuse(password, { minLength, words }) {
      const found = rejections(password, { minLength, context: words }, isCommonPassword);
      if (found.length > 0) return found;
      return (await isKnownBreached(password)) ? ['BREACHED'] : [];
    },
    isBreached: isKnownBreached,
    reserve() {
      const slot = pool.reserve();
      return slot && { ...keeper(slot), release: slot.release };
    },
    close: () => pool.close(),
  };
}

function createKeeper({ parameters, peppers }: PasswordsOptions) {
  const [current] = peppers;
  const decoy = makeDecoy(parameters);

  function open(
    stored: PasswordHash | null,
  ): { hash: string; pepper: Buffer | undefined; cost: Argon2Parameters } | null {
    const cost = stored && parametersOf(stored.hash);
    if (!cost) return null;
    if (stored.pepperKeyId === null) return { hash: stored.hash, pepper: undefined, cost };
    const pepper = peppers.find(({ id }) => id === stored.pepperKeyId);
    return pepper ? { hash: stored.hash, pepper: pepper.key, cost } : null;
  }

  const isForeign = (stored: PasswordHash | null) => stored !== null && readForeignHash(stored.hash) !== null;

  return (slot: HashingSlot): Omit<PasswordSlot, 'release'> => ({
    async hash(password) {
      if (!canBePassword(password)) throw new TypeError('a text that cannot be a password');
      const hash = await slot.hash(normalizePassword(password), parameters, current?.key);
      return { hash, pepperKeyId: current?.id ?? null };
    },
    async verify(password, stored) {
      // What never was a password is compared with nothing, as the empty one: normalized it could equal one that was.
      const possible = canBePassword(password);
      if (possible && stored && isForeign(stored)) {
        const matches = await slot.verifyForeign(stored.hash, password);
        return { matches, needsRehash: matches };
      }
      const opened = possible ? open(stored) : null;
      const { hash, pepper } = opened ?? { hash: decoy, pepper: current?.key };
      const matches = (await slot.verify(hash, possible ? normalizePassword(password) : '', pepper)) && opened !== null;
      const asNow = opened && sameParameters(opened.cost, parameters) && stored?.pepperKeyId === (current?.id ?? null);
      return { matches, needsRehash: matches && !asNow };
    },
    async evenOut(password, stored, foreign) {
      // What never was a password was compared with the decoy, whatever is stored.
      const possible = canBePassword(password);
      if (possible && isForeign(stored)) await slot.verify(decoy, normalizePassword(password), current?.key);
      else if (foreign !== null) await slot.verifyForeign(foreign, possible ? password : '');
    },
  });
}
