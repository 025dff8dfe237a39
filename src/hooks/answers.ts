import type { HOOKS, LinkingPolicy, PopulatedUser, SocialLoginDecision } from '../hooks.ts';
import { type EmailAddress, parseEmailAddress } from '../lib/email-address.ts';
import { PASSWORD_REJECTIONS, type PasswordRejection } from '../lib/password-policy.ts';
import { parsePersonName } from '../lib/person-name.ts';
import { isRole } from '../lib/roles.ts';
import { isOwnCode } from '../lib/user-code.ts';
import { parseUsername, type Username } from '../lib/username.ts';

/** A decision that is none. Says what came, and not its value. */
export class Nonsense extends Error {}

/** The hooks that decide something while a request waits. */
export type DecisionName = {
  [Name in keyof typeof HOOKS]: (typeof HOOKS)[Name] extends 'decision' ? Name : never;
}[keyof typeof HOOKS];

/** Values of the operator's own fields, not looked at yet. */
type Fields = Readonly<Record<string, unknown>>;

/** A user name, and the form by which names are compared. */
export interface ReadUsername {
  readonly username: Username;
  readonly key: string;
}

const MAX_ROLES = 32;

/**
 * Reads what each hook gives: hooks come from a file that nothing has type-checked, and one with a typing error must not
 * let anybody in.
 */
export const READERS = {
  allowsSignUp: readBoolean,
  cleanEmail: (given): EmailAddress | null => readCleaned(given, parseEmailAddress, 'no address, nor { refuse: true }'),
  cleanUsername: (given): ReadUsername | null =>
    readCleaned(given, readUsername, 'nothing that can be a user name, nor { refuse: true }'),
  refusesPassword(given): PasswordRejection | null {
    const reason = PASSWORD_REJECTIONS.find((each) => each === given);
    if (!reason && given != null) throw new Nonsense('gave no reason that there is, nor null');
    return reason ?? null;
  },
  generateUsername(given): string | null {
    if (given == null) return null;
    const name = typeof given === 'string' ? parseUsername(given) : 'INVALID';
    if (typeof given === 'string' && name === 'NOT_ALLOWED') return given;
    if (typeof name === 'string') throw new Nonsense('gave nothing that can be a user name, nor null');
    return name.username;
  },
  newAccount(given): { readonly name?: string | null; readonly roles?: readonly string[]; readonly fields?: Fields } {
    const { name, roles, fields, ...more } = readObject(given ?? {}, 'no { name, roles, fields }');
    if (Object.keys(more).length > 0) throw new Nonsense('gave more than { name, roles, fields }');
    const readRoles = roles == null ? undefined : Array.isArray(roles) ? roles : [0];
    if (
      readRoles &&
      (readRoles.length > MAX_ROLES || !readRoles.every((role) => typeof role === 'string' && isRole(role)))
    )
      throw new Nonsense('gave roles that are no list of names of roles');
    return {
      ...(name === undefined ? {} : { name: readName(name) }),
      ...(readRoles ? { roles: [...new Set(readRoles)] } : {}),
      // Which values they may have depends on their declarations: whoever asks looks.
      ...(fields == null ? {} : { fields: readObject(fields, 'fields that are no object') }),
    };
  },
  requiresMfa: (given): boolean | null => (given == null ? null : readBoolean(given)),
  allowsEnrollment: readBoolean,
  preSocialLogin(given): SocialLoginDecision | null {
    if (given == null) return null;
    const what = 'decided neither { refuse: true } nor { userId } nor null';
    if (typeof given !== 'object') throw new Nonsense(what);
    const { refuse, userId, ...more } = { ...given } as Readonly<Record<string, unknown>>;
    const isKnown = Object.keys(more).length === 0 && (refuse === undefined) !== (userId === undefined);
    if (isKnown && typeof refuse === 'boolean') return refuse ? { refuse } : null;
    if (isKnown && typeof userId === 'string') return { userId };
    throw new Nonsense(what);
  },
  linkingPolicy(given): LinkingPolicy | null {
    if (given == null) return null;
    if (given !== 'ask' && given !== 'verified' && given !== 'never')
      throw new Nonsense('gave none of ask, verified and never');
    return given;
  },
  populateUser(given): Pick<PopulatedUser, 'name' | 'username'> & { readonly fields?: Fields } {
    const { name, username, fields } = readObject(given ?? {}, 'no { name, username, fields }');
    if (![name, username].every((text) => text == null || typeof text === 'string'))
      throw new Nonsense('gave no { name, username, fields }');
    const names = { name, username } as Pick<PopulatedUser, 'name' | 'username'>;
    return fields == null ? names : { ...names, fields: readObject(fields, 'fields that are no object') };
  },
  // Which claims can be had depends on the settings: `login/extra-claims.ts` looks.
  accessTokenClaims: (given): unknown => given ?? {},
  generateCode(given): string {
    if (typeof given !== 'string' || !isOwnCode(given))
      throw new Nonsense('gave no code of 6 to 16 digits and letters from A to Z');
    return given;
  },
  isSafeRedirect: (given): boolean | null => (given == null ? null : readBoolean(given)),
} satisfies { readonly [Name in DecisionName]: (given: unknown) => unknown };

function readBoolean(given: unknown): boolean {
  if (typeof given !== 'boolean') throw new Nonsense('gave neither true nor false');
  return given;
}

function readObject(given: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new Nonsense(`gave ${what}`);
  return { ...given };
}

/** What a cleaning gave: null for a refusal. */
function readCleaned<V>(given: unknown, parse: (text: string) => V | null, what: string): V | null {
  const cleaned = typeof given === 'string' ? parse(given) : null;
  if (cleaned !== null) return cleaned;
  const { refuse, ...more } = readObject(given, what);
  if (refuse !== true || Object.keys(more).length > 0) throw new Nonsense(`gave ${what}`);
  return null;
}

function readUsername(text: string): ReadUsername | null {
  const name = parseUsername(text);
  return typeof name === 'string' ? null : name;
}

function readName(given: unknown): string | null {
  const name = given === null ? null : typeof given === 'string' ? parsePersonName(given) : { problem: 'INVALID' };
  if (typeof name === 'object' && name !== null) throw new Nonsense('gave a name that is none');
  return name;
}
