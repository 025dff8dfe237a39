/** What somebody could log in with. */
export interface Identifiers {
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly username: string | null;
  readonly phone: string | null;
  readonly hasPassword: boolean;
  /** Whether there is a passkey that logs in by itself. */
  readonly passkey: boolean;
  /** Whether there is an account at a provider that logs in. */
  readonly connection: boolean;
}

/** Which identifiers are switched on beside addresses, and what a password is good for. */
interface Offered {
  readonly usernames: boolean;
  readonly phones: boolean;
  /** Whether a code that is sent logs in by itself. */
  readonly codes: boolean;
  /** Whether a password alone is not enough. */
  readonly codeAfterPassword: boolean;
}

/**
 * Whether somebody can log in with these: with a passkey or at a provider, with a password and what it is known by, or
 * with a code that reaches them. A mailbox that nobody has shown to be theirs may be a stranger's.
 */
export function canLogIn(
  { email, emailVerified, username, phone, hasPassword, passkey, connection }: Identifiers,
  offered: Offered,
): boolean {
  if (passkey || connection) return true;
  if (email !== null && (hasPassword || (offered.codes && emailVerified))) return true;
  if (phone !== null && offered.phones && (hasPassword || offered.codes)) return true;
  return username !== null && offered.usernames && hasPassword && !offered.codeAfterPassword;
}
