import { type ExtraClaims, readExtraClaims } from '../lib/extra-claims.ts';
import { HASURA_CLAIMS, hasuraClaims } from '../lib/hasura.ts';
import { HookFailed } from '../lib/hook-failed.ts';
import { claimsOf } from '../lib/user-fields/values.ts';
import { accessTokenSubject, type Session } from '../records/sessions.ts';
import type { User } from '../records/users.ts';
import type { Unit } from '../unit.ts';
import { asHookPerson } from './hook-person.ts';

/**
 * What an access token says beside its own claims: the person's own fields that are declared so, what the operator's
 * hook adds, and what Hasura is to know.
 * @throws HookFailed if the hook fails, is late, or gives what a token cannot carry: then there is no token
 */
export async function extraClaims(
  unit: Pick<Unit, 'config' | 'hooks' | 'userFields'>,
  user: User,
  session: Session,
): Promise<ExtraClaims> {
  const { config, hooks, userFields } = unit;
  const own = { ...claimsOf(userFields, user.fields), ...(config.hasura ? hasuraClaims(user.id, user.roles) : {}) };
  if (!hooks.accessTokenClaims) return own;
  const { authenticatedAt, methods } = accessTokenSubject(session);
  const asked = {
    person: asHookPerson(unit, user),
    session: { id: session.id, createdAt: session.createdAt, authenticatedAt, methods },
  };
  const given = await hooks.accessTokenClaims(asked);
  const taken = userFields.flatMap(({ claim }) => claim ?? []);
  const claims = readExtraClaims(given, config.hasura ? [...taken, HASURA_CLAIMS] : taken);
  if (typeof claims === 'string') throw new HookFailed('accessTokenClaims', `gave ${claims}`);
  return { ...claims, ...own };
}
