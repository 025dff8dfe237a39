import type { Unit } from '../../unit.ts';
import { identityOf, missingFrom, providerOf } from '../identity.ts';
import type { Stage } from '../stage.ts';
import type { AccountLinkRequired } from './link-account.ts';

/** The provider did not say enough to make an account, or a person is to agree first; `completeProviderSignUp` answers. */
export interface ProviderSignUpRequired {
  readonly kind: 'ProviderSignUpRequired';
  readonly provider: AccountLinkRequired['provider'];
  /** What the account would be made with; null if it cannot be. */
  readonly email: string | null;
  readonly name: string | null;
  /** The fields of the input without which no account can be made. */
  readonly missing: readonly string[];
}

/** Asks whoever comes with an identity that nobody has for what is missing, before there is an account. */
export const signUpWithProvider = {
  async prompt(login, unit: Unit) {
    if (login.purpose !== 'PROVIDER' || login.userId !== null) return null;
    const identity = identityOf(unit, login);
    const provider = identity && providerOf(unit, identity);
    if (!identity || !provider) return null;
    const missing = await missingFrom(unit, identity);
    const email = missing.includes('email') ? null : identity.email;
    return { kind: 'ProviderSignUpRequired', provider, email, name: identity.name, missing };
  },
} as const satisfies Stage<ProviderSignUpRequired>;
