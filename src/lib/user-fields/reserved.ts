/**
 * Names that no field may have: those of `User`, of `Account` and of the inputs that take fields, with what clients and hooks know by
 * another meaning. `User` and a name is also the name of a type where it is an enum.
 */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([
  ...['id', 'userId', 'createdAt', 'lastLoginAt', 'disabledAt', 'currentSessionId'],
  ...['name', 'displayName', 'username', 'email', 'emails', 'emailVerified', 'phone', 'roles', 'fields'],
  ...['password', 'hasPassword', 'hasMfa', 'authenticators', 'connections', 'sessions', 'securityEvents'],
  ...['administered', 'created', 'deleted', 'invited', 'result'],
  ...['credential', 'loginToken', 'invitation', 'mustChangePassword', 'input', 'kind'],
]);
