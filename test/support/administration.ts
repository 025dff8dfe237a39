import type { GraphQLClient, Result } from './client.ts';
import type { Gateway } from './gateway.ts';
import { type Held, newPerson, type Person, signUp } from './people.ts';

const PROBLEMS = `... on ReauthenticationRequired { methods } ... on Unauthenticated { reason } ... on RateLimited { retryAfter }
  ... on Problem { message }`;
const ACCOUNT = `id createdAt lastLoginAt disabledAt name username email emailVerified phone roles hasPassword
  mustChangePassword hasMfa`;
const INVITATION = 'id email roles invitedBy createdAt expiresAt';

export const USERS = `query Users($first: Int, $after: ID, $search: String, $role: String, $disabled: Boolean) {
  users(first: $first, after: $after, search: $search, role: $role, disabled: $disabled) {
    __typename ... on AccountConnection { nodes { ${ACCOUNT} } endCursor hasNextPage } ${PROBLEMS}
  }
}`;
export const USER = `query User($id: ID!) { user(id: $id) {
  __typename
  ... on AccountDetails {
    account { ${ACCOUNT} }
    emails { id email verified primary }
    phone { number verified }
    sessions { id current ipAddress }
    authenticators { __typename id }
    connections { id displayName }
    events(first: 50) { nodes { id kind ipAddress userAgent sessionId data } endCursor hasNextPage }
  }
  ${PROBLEMS}
} }`;
export const INVITATIONS = `query Invitations($first: Int, $after: ID) { invitations(first: $first, after: $after) {
  __typename ... on InvitationConnection { nodes { ${INVITATION} } endCursor hasNextPage } ${PROBLEMS}
} }`;

const acting = (name: string, selected = '') => {
  const type = `${name[0]?.toUpperCase()}${name.slice(1)}Input`;
  return `mutation Act($input: ${type}!) { ${name}(input: $input) { __typename ${selected} ${PROBLEMS} } }`;
};
const ADMINISTERED = `... on UserAdministered { user { ${ACCOUNT} } changed sessionsEnded }`;
const ISSUES = '... on InvalidInput { issues { path code } }';

export const DISABLE_USER = acting('disableUser', ADMINISTERED);
export const ENABLE_USER = acting('enableUser', ADMINISTERED);
export const SET_USER_ROLES = acting('setUserRoles', `${ADMINISTERED} ${ISSUES}`);
export const UPDATE_USER = acting('updateUser', `${ADMINISTERED} ${ISSUES}`);
export const REQUIRE_PASSWORD_CHANGE = acting('requirePasswordChange', ADMINISTERED);
export const REVOKE_USER_SESSIONS = acting('revokeUserSessions', ADMINISTERED);
export const RESET_USER_FACTORS = acting('resetUserFactors', ADMINISTERED);
export const DELETE_USER = acting('deleteUser', '... on UserDeleted { userId }');
export const CREATE_USER = acting(
  'createUser',
  `... on UserCreated { user { ${ACCOUNT} } } ${ISSUES} ... on PasswordRejected { reasons }`,
);
export const INVITE_USER = acting('inviteUser', `... on UserInvited { invitation { ${INVITATION} } } ${ISSUES}`);
export const REVOKE_INVITATION = acting('revokeInvitation', '... on InvitationRevoked { id }');

/** What administrators look at, by the field, with variables about somebody. */
export const LOOKS: Readonly<Record<string, (id: string) => readonly [string, Record<string, unknown>]>> = {
  users: () => [USERS, {}],
  user: (id) => [USER, { id }],
  invitations: () => [INVITATIONS, {}],
};

/** What administrators do, by the field. */
export const ACTS: Readonly<Record<string, (id: string) => readonly [string, Record<string, unknown>]>> = {
  disableUser: (id) => [DISABLE_USER, { input: { id } }],
  enableUser: (id) => [ENABLE_USER, { input: { id } }],
  setUserRoles: (id) => [SET_USER_ROLES, { input: { id, roles: ['admin'] } }],
  updateUser: (id) => [UPDATE_USER, { input: { id, name: 'Somebody Else' } }],
  requirePasswordChange: (id) => [REQUIRE_PASSWORD_CHANGE, { input: { id } }],
  revokeUserSessions: (id) => [REVOKE_USER_SESSIONS, { input: { id } }],
  resetUserFactors: (id) => [RESET_USER_FACTORS, { input: { id } }],
  deleteUser: (id) => [DELETE_USER, { input: { id } }],
  createUser: () => [CREATE_USER, { input: { email: newPerson().email } }],
  inviteUser: () => [INVITE_USER, { input: { email: newPerson().email, roles: ['admin'] } }],
  revokeInvitation: (id) => [REVOKE_INVITATION, { input: { id } }],
};

/** Somebody new who administrates, and has just signed in. */
export async function newAdministrator(gateway: Gateway): Promise<Held & { readonly person: Person }> {
  const person = newPerson();
  const held = await signUp(gateway.client(), person);
  await giveRoles(gateway, held, ['admin']);
  return { ...held, person };
}

/** Gives somebody roles behind the gateway's back, and waits until it has heard of it. */
export async function giveRoles(
  gateway: Gateway,
  { userId, client }: Pick<Held, 'userId' | 'client'>,
  roles: readonly string[],
): Promise<void> {
  await gateway.sql('UPDATE users SET roles = $2 WHERE id = $1', [userId, roles]);
  for (let tries = 0; tries < 200; tries += 1) {
    const { result } = await client.send('{ currentUser { ... on User { roles } } }');
    if (String(result.roles) === String(roles)) return;
  }
  throw new Error('the roles are not seen');
}

/** The accounts of a page. */
export async function usersOf(client: GraphQLClient, variables: Record<string, unknown>): Promise<UserPage> {
  const { result, text } = await client.send(USERS, variables);
  if (result.__typename !== 'AccountConnection') throw new Error(`no page: ${text}`);
  return result as unknown as UserPage;
}

export interface UserPage {
  readonly nodes: readonly ({ readonly id: string; readonly email: string | null } & Record<string, unknown>)[];
  readonly endCursor: string | null;
  readonly hasNextPage: boolean;
}

/** What was told of somebody, as administrators see it, the newest first. */
export function trailOf(result: Result) {
  const { nodes } = result.events as {
    nodes: { kind: string; ipAddress: string | null; userAgent: string | null; data: Record<string, unknown> }[];
  };
  return nodes;
}
