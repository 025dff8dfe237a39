/** Roles that one person may have. */
const MAX_ROLES = 50;
const ROLE = /^[A-Za-z][A-Za-z0-9_:.-]{0,63}$/;

/** Whether a text is the name of a role: an ASCII letter, then up to 63 letters, digits and `_:.-`. */
export function isRole(text: string): boolean {
  return ROLE.test(text);
}

/** Reads the roles of a person, each once. Null if one of them is no name of a role, or there are too many. */
export function parseRoles(texts: readonly string[]): readonly string[] | null {
  const roles = [...new Set(texts)];
  return roles.length <= MAX_ROLES && roles.every(isRole) ? roles : null;
}
