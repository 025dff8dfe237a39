import type { Loss, Problem, Refusal } from '../../import/person.ts';
import type { Report } from '../../import/report.ts';

/** What is said of each problem. */
const SAID: Readonly<Record<Refusal | Loss, string>> = {
  BROKEN: 'not taken: cannot be read',
  REPEATED: 'not taken: the id stood there before',
  GONE: 'not taken: deleted there, or nobody',
  ADDRESS_TAKEN: 'not taken: somebody else holds the address',
  NO_WAY_IN: 'not taken: has no address, no number and no account at a provider that is set up here',
  ID_TAKEN: 'not taken: somebody here has the same id',
  NOT_STORED: 'not taken: the database refused it',
  EMAIL_UNFIT: 'without an address that is none',
  EMAIL_TAKEN: 'without an address that somebody else holds',
  TOO_MANY_EMAILS: 'without an address: there are too many',
  NAME_UNFIT: 'without a name that cannot be shown',
  USERNAME_UNFIT: 'without a username that is none here',
  USERNAME_TAKEN: 'without a username that somebody else has',
  PHONE_UNFIT: 'without a phone number that gets no messages',
  PHONE_TAKEN: 'without a phone number that somebody else has',
  ROLE_UNFIT: 'without a role whose name is none here',
  DATE_UNFIT: 'without a date that is none',
  PASSWORD_UNKNOWN: 'without the password: its hash is of an unknown form',
  PASSWORD_TOO_COSTLY: 'without the password: its hash would take too long to check',
  PROVIDER_UNKNOWN: 'without a connection: the provider is not set up here',
  PROVIDER_NOT_PORTABLE: 'without a connection: the provider knows its people here by another id',
  CONNECTION_TAKEN: 'without a connection that somebody else has',
  TOTP_UNFIT: 'without the second factor: the secret of the app is none, or a short one',
  TOTP_SEALED: 'without the second factor: the secret of the app is sealed',
  RECOVERY_CODES_UNFIT: 'without a recovery code that is none',
  RECOVERY_CODES_SEALED: 'without the recovery codes: they are sealed, or hashed',
  PASSKEY_UNFIT: 'without a passkey that is none',
  PASSKEY_OF_OTHER_RP_ID: 'without a passkey: it was made for another RP ID',
  PASSKEY_TAKEN: 'without a passkey that somebody else has',
  FACTOR_UNKNOWN: 'without a second factor of a kind that there is not here',
};

/** What a report says to people: each problem on a line, then what came of it. */
export function describeReport({ dryRun, people, carried, passwords, problems, seconds }: Report): string[] {
  const formats = Object.entries(passwords).map(([format, count]) => `${count} ${format}`);
  const have = [
    ['addresses', carried.addresses && `${carried.addresses}, ${carried.verifiedAddresses} of them verified`],
    ['phone numbers', carried.numbers],
    ['usernames', carried.usernames],
    ['passwords', carried.passwords && `${carried.passwords} (${formats.join(', ')})`],
    ['apps', carried.apps],
    ['passkeys', carried.passkeys],
    ['sheets of recovery codes', carried.recoveryCodes],
    ['connections', carried.connections],
    ['disabled', carried.disabled],
  ] as const;
  return [
    ...problems.map(describeProblem),
    `${people.read} read: ${people.taken} ${dryRun ? 'would be taken' : 'taken'}, ${people.there} here already, ${people.refused} not taken`,
    ...(people.taken > 0 ? have.filter(([, count]) => count !== 0).map(([what, count]) => `  ${what}: ${count}`) : []),
    `in ${seconds} seconds${dryRun ? '; nothing was written' : ''}`,
  ];
}

function describeProblem({ place: { line, id }, code, detail }: Problem): string {
  const where = [line === null ? null : `line ${line}`, id === null ? null : `id ${printable(id)}`]
    .filter(Boolean)
    .join(', ');
  return `${where}: ${SAID[code]}${detail === null ? '' : ` (${printable(detail)})`}`;
}

/** Somebody else wrote it: it must not move the cursor. */
function printable(text: string): string {
  return text.slice(0, 120).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}
