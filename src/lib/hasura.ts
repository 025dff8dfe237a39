/** Where Hasura looks in a JWT for what it is to know of its bearer. */
export const HASURA_CLAIMS = 'https://hasura.io/jwt/claims';

/** The role that everybody has. */
export const HASURA_DEFAULT_ROLE = 'user';

/** The roles that somebody may act in: that of everybody, and their own. */
export function hasuraRoles(roles: readonly string[]): string[] {
  return [...new Set([HASURA_DEFAULT_ROLE, ...roles])];
}

/** The claims by which Hasura recognises somebody. */
export function hasuraClaims(userId: string, roles: readonly string[]) {
  return {
    [HASURA_CLAIMS]: {
      'x-hasura-default-role': HASURA_DEFAULT_ROLE,
      'x-hasura-allowed-roles': hasuraRoles(roles),
      'x-hasura-user-id': userId,
    },
  };
}
