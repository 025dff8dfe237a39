import { MAX_EMAILS } from '../records/emails.ts';
import type { ImportedPerson } from '../records/imported-people.ts';
import type { Draft, DraftEmail } from './draft.ts';
import { accountKey, type Known } from './known.ts';
import type { Loss, Lost, Refusal } from './person.ts';

/** What is to become of somebody. */
export type Decision =
  | { readonly kind: 'taken'; readonly person: ImportedPerson; readonly lost: readonly Lost[] }
  | { readonly kind: 'there' }
  | { readonly kind: 'refused'; readonly code: Refusal; readonly detail: string | null };

/** Addresses and numbers that somebody in the source has verified, and the id of who did first. */
export type Owners = ReadonlyMap<string, string>;

/**
 * Decides what becomes of somebody, and notes in `known` what they hold from then on. An account that is here is never
 * given anything: what it holds is left out, and who would have nothing left is not taken.
 */
export function decide(draft: Draft, known: Known, owners: Owners): Decision {
  if (known.externalIds.has(draft.externalId)) return { kind: 'there' };
  const refused = (code: Refusal, detail: string | null = null) => ({ kind: 'refused', code, detail }) as const;
  if (known.userIds.has(draft.userId)) return refused('ID_TAKEN');

  const lost: Lost[] = [...draft.lost];
  const lose = (code: Loss, detail: string | null = null) => {
    lost.push({ code, detail });
    return false;
  };
  const emails = chooseEmails(draft, known, owners, lose);
  if (draft.emails.length > 0 && emails.length === 0) return refused('ADDRESS_TAKEN', draft.emails[0]?.address ?? null);
  const { phone: asked } = draft;
  const isTheirs = asked && (owners.get(asked.number) ?? draft.externalId) === draft.externalId;
  const phone = isTheirs && isFree(known.phones, asked.number, asked.verified) ? asked : null;
  if (asked && !phone) lose('PHONE_TAKEN');
  const accounts = new Set<string>();
  const connections = draft.connections.filter((each) => {
    const key = accountKey(each);
    return (!known.accounts.has(key) && isNew(accounts, key)) || lose('CONNECTION_TAKEN', each.provider);
  });
  if (emails.length === 0 && !phone && connections.length === 0) return refused('NO_WAY_IN', unfit(draft));
  const { username } = draft;
  const ownName = username && !known.usernameKeys.has(username.key) ? username : null;
  if (username && !ownName) lose('USERNAME_TAKEN', username.username);
  const ids = new Set<string>();
  const authenticators = draft.authenticators.filter(
    ({ credentialId: id }) => id === null || (!known.credentialIds.has(id) && isNew(ids, id)) || lose('PASSKEY_TAKEN'),
  );

  const { externalId, userId, name, roles, createdAt, lastLoginAt, disabled, password } = draft;
  const person: ImportedPerson = {
    externalId,
    userId,
    name,
    username: ownName?.username ?? null,
    usernameKey: ownName?.key ?? null,
    roles,
    createdAt,
    lastLoginAt,
    disabled,
    emails,
    phone,
    password: password && { hash: password.hash, replace: password.replace },
    authenticators,
    connections,
  };
  note(person, known);
  return { kind: 'taken', person, lost };
}

/**
 * Those of the addresses that they may have. One that nobody has verified goes to who comes first, and not to somebody
 * who says so, if anybody in the source has verified it.
 */
function chooseEmails(
  { emails, externalId }: Draft,
  known: Known,
  owners: Owners,
  lose: (code: Loss, detail: string) => boolean,
): DraftEmail[] {
  const free = emails.filter(({ address, verified }) => {
    const owner = owners.get(address) ?? externalId;
    return (owner === externalId && isFree(known.addresses, address, verified)) || lose('EMAIL_TAKEN', address);
  });
  for (const { address } of free.slice(MAX_EMAILS)) lose('TOO_MANY_EMAILS', address);
  return free.slice(0, MAX_EMAILS);
}

/** Whether nobody holds a name, or only somebody who has not shown it, as this one has. */
function isFree(held: ReadonlyMap<string, boolean>, name: string, verified: boolean): boolean {
  const shown = held.get(name);
  return shown === undefined || (verified && !shown);
}

/** The address that would have been one. */
function unfit({ lost }: Draft): string | null {
  return lost.find(({ code }) => code === 'EMAIL_UNFIT')?.detail ?? null;
}

/** Whether a set did not have a key, which it has from then on. */
function isNew(keys: Set<string>, key: string): boolean {
  return !keys.has(key) && Boolean(keys.add(key));
}

function note(person: ImportedPerson, known: Known): void {
  known.externalIds.add(person.externalId);
  known.userIds.add(person.userId);
  // One that is neither primary nor verified holds nothing.
  for (const [nth, { address, verified }] of person.emails.entries())
    if (verified || nth === 0) known.hold(known.addresses, address, verified);
  if (person.usernameKey !== null) known.usernameKeys.add(person.usernameKey);
  if (person.phone) known.hold(known.phones, person.phone.number, person.phone.verified);
  for (const { credentialId } of person.authenticators)
    if (credentialId !== null) known.credentialIds.add(credentialId);
  for (const connection of person.connections) known.accounts.add(accountKey(connection));
}
