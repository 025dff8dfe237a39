import type { Held, Sought } from '../records/imported-people.ts';
import type { Draft } from './draft.ts';

/** Who holds what: in the database, and by what was decided since. */
export class Known {
  readonly externalIds = new Set<string>();
  readonly userIds = new Set<string>();
  /** Whether its holder has shown that it is theirs. */
  readonly addresses = new Map<string, boolean>();
  readonly usernameKeys = new Set<string>();
  readonly phones = new Map<string, boolean>();
  readonly credentialIds = new Set<string>();
  readonly accounts = new Set<string>();

  /** Takes in what the database says. What was decided since stays. */
  add(held: Held): void {
    for (const id of held.externalIds) this.externalIds.add(id);
    for (const id of held.userIds) this.userIds.add(id);
    for (const { address, verified } of held.addresses) this.hold(this.addresses, address, verified);
    for (const key of held.usernameKeys) this.usernameKeys.add(key);
    for (const { number, verified } of held.phones) this.hold(this.phones, number, verified);
    for (const id of held.credentialIds) this.credentialIds.add(id);
    for (const account of held.accounts) this.accounts.add(accountKey(account));
  }

  /** Notes that somebody holds something from now on. */
  hold(names: Map<string, boolean>, name: string, verified: boolean): void {
    names.set(name, verified || (names.get(name) ?? false));
  }
}

/** An account at a provider as the key of a set. */
export function accountKey({ provider, issuer, subject }: Sought['accounts'][number]): string {
  return JSON.stringify([provider, issuer, subject]);
}

/** What has to be looked up for some people. */
export function soughtBy(drafts: readonly Draft[]): Sought {
  return {
    externalIds: drafts.map(({ externalId }) => externalId),
    userIds: drafts.map(({ userId }) => userId),
    addresses: drafts.flatMap(({ emails }) => emails.map(({ address }) => address)),
    usernameKeys: drafts.flatMap(({ username }) => (username ? [username.key] : [])),
    phones: drafts.flatMap(({ phone }) => (phone ? [phone.number] : [])),
    credentialIds: drafts.flatMap(({ authenticators }) =>
      authenticators.flatMap(({ credentialId }) => credentialId ?? []),
    ),
    accounts: drafts.flatMap(({ connections }) =>
      connections.map(({ provider, issuer, subject }) => ({ provider, issuer, subject })),
    ),
  };
}
