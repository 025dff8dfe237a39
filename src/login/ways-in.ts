/** What somebody could log in with. */
export interface Identifiers {
  readonly email: string | null;
  readonly username: string | null;
  readonly phone: string | null;
  readonly hasPassword: boolean;
  /** Whether there is a passkey that logs in by itself. */
  readonly passkey: boolean;
}

/** Which identifiers are switched on beside addresses, and whether a password alone is not enough. */
interface Offered {
  readonly usernames: boolean;
  readonly phones: boolean;
  readonly codeAfterPassword: boolean;
}

/**
 * Whether somebody can log in with these. Codes reach an address or a number, and so does a reset, which gives a
 * password to whoever has none; a user name is as good as the password behind it.
 */
export function canLogIn({ email, username, phone, hasPassword, passkey }: Identifiers, offered: Offered): boolean {
  if (passkey || email !== null || (phone !== null && offered.phones)) return true;
  return username !== null && offered.usernames && hasPassword && !offered.codeAfterPassword;
}
