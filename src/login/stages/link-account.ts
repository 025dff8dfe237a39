import type { Provider } from '../../providers/provider.ts';
import * as challenges from '../../records/challenges.ts';
import * as emails from '../../records/emails.ts';
import * as passwords from '../../records/passwords.ts';
import type { PendingLogin } from '../../records/pending-logins.ts';
import type { Unit } from '../../unit.ts';
import { addressUse, identityOf, providerOf } from '../identity.ts';
import type { Stage } from '../stage.ts';

/** An account with this address exists, and whoever comes must show that it is theirs; `linkAccount` answers. */
export interface AccountLinkRequired {
  readonly kind: 'AccountLinkRequired';
  readonly provider: Pick<Provider, 'id' | 'name' | 'acceptsTokens'>;
  readonly email: string;
  readonly methods: readonly ('PASSWORD' | 'EMAIL_CODE')[];
}

/** Asks whoever comes with an identity that nobody has, and with the address of an account, to prove that account. */
export const linkAccount: Stage<AccountLinkRequired> = {
  async prompt(login, unit) {
    const account = await accountToLink(login, unit);
    if (!account) return null;
    const { provider, userId, email } = account;
    const takesPassword = passwordLinks(unit) && (await passwords.changedAt(unit.db, userId)) !== null;
    return {
      kind: 'AccountLinkRequired',
      provider,
      email,
      methods: takesPassword ? ['PASSWORD', 'EMAIL_CODE'] : ['EMAIL_CODE'],
    };
  },
  async enter(login, unit) {
    const account = await accountToLink(login, unit);
    if (!account) return;
    // It goes out only if it is asked for: a password may do.
    await challenges.issue(
      unit.db,
      unit.codeKeys,
      {
        purpose: 'LINK_ACCOUNT',
        userId: account.userId,
        channel: 'EMAIL',
        destination: account.email,
        pendingLoginId: login.id,
      },
      unit.now,
      { sent: false },
    );
  },
};

/** Whether a password proves an account to be linked: not where it needs a code beside it. The code alone logs in there. */
export function passwordLinks({ config }: Pick<Unit, 'config'>): boolean {
  return !config.loginCodeRequired;
}

/** The account that a login is to be linked with, as things are now. */
export async function accountToLink(login: PendingLogin, unit: Unit) {
  if (login.purpose !== 'PROVIDER' || login.userId !== null) return null;
  const identity = identityOf(unit, login);
  const provider = identity && providerOf(unit, identity);
  if (!identity?.email || !provider || (await addressUse(unit, identity)) !== 'link') return null;
  const userId = await emails.holderOf(unit.db, identity.email);
  return userId === null ? null : { provider, userId, email: identity.email };
}
