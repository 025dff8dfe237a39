import { createAccount, type UserCreated } from '../administration/create-account.ts';
import type { App } from '../app.ts';
import { domainOf, localPartOf, parseEmailAddress } from '../lib/email-address.ts';
import { parsePersonName } from '../lib/person-name.ts';
import { parseRoles } from '../lib/roles.ts';
import { parseUsername } from '../lib/username.ts';
import type { NewAccount } from '../login/account.ts';
import { act, type Barred, type FreshAdministrator, limitActs } from './shared/administrator.ts';
import { usernamesAreOn } from './shared/identifier.ts';
import {
  type Caller,
  type InputIssue,
  type InvalidInput,
  invalidInput,
  type PasswordRejected,
  rateLimited,
} from './shared/outcomes.ts';
import { BUSY_RETRY_SECONDS, refuseByRule } from './shared/password.ts';

export interface CreateUserInput {
  readonly email: string;
  /** Whether the administrator knows that the mailbox is theirs. */
  readonly emailVerified: boolean;
  readonly username?: string | null | undefined;
  readonly name?: string | null | undefined;
  readonly roles: readonly string[];
  /** To be replaced at the first login. Without one the person gets a mail, and chooses it. */
  readonly password?: string | null | undefined;
}

export type CreateUserResult = Pick<UserCreated, 'kind' | 'user'> | InvalidInput | PasswordRejected | Barred;

/**
 * Makes an account for somebody, who is not logged in by that. A password that is given is good for one login, which asks
 * for another; without one they get a mail with a link to choose it, which nobody else gets to see.
 */
export async function createUser(
  app: App,
  caller: Caller,
  viewer: FreshAdministrator,
  input: CreateUserInput,
): Promise<CreateUserResult> {
  const person = read(app, input);
  if ('kind' in person) return person;
  const slot = app.passwords.reserve();
  if (!slot) return rateLimited(BUSY_RETRY_SECONDS);
  try {
    const limited = await limitActs(app, viewer);
    if (limited) return limited;
    const typed = input.password ?? null;
    const { email, username, name } = person;
    const words = [email, localPartOf(email), domainOf(email), username?.username ?? '', name ?? ''];
    const { minLength } = app.config.password;
    const reasons = typed === null ? [] : await app.passwords.refuse(typed, { minLength, words });
    if (reasons.length > 0) return { kind: 'PasswordRejected', reasons };
    const about = { userId: null, email, username: username?.username ?? null, name };
    const refused = typed === null ? null : await refuseByRule(app, typed, about);
    if (refused) return refused;
    const password = typed === null ? null : await slot.hash(typed);
    return await act<CreateUserResult>(app, caller, viewer, null, async (unit) => {
      const created = await createAccount(unit, { ...person, password, passwordIsInitial: true });
      if (created.kind === 'taken') return invalidInput({ path: [created.path], code: 'TAKEN' });
      const { user, link } = created;
      const linkLifetime = unit.config.invitationLifetime;
      if (link !== null) unit.send({ mail: 'AccountCreated', to: { email }, data: { link, linkLifetime } });
      return { kind: 'UserCreated', user };
    });
  } finally {
    slot.release();
  }
}

function read(app: App, input: CreateUserInput) {
  const issues: InputIssue[] = [];
  const email = parseEmailAddress(input.email);
  if (!email) issues.push({ path: ['email'], code: input.email ? 'INVALID' : 'REQUIRED' });
  const roles = parseRoles(input.roles);
  if (!roles) issues.push({ path: ['roles'], code: 'INVALID' });
  const username = input.username ? readUsername(app, input.username, issues) : null;
  const name = parsePersonName(input.name ?? '');
  if (name && typeof name === 'object') issues.push({ path: ['name'], code: name.problem });
  if (input.password === '') issues.push({ path: ['password'], code: 'REQUIRED' });
  if (issues.length > 0 || !email || !roles) return invalidInput(...issues);
  return { email, emailVerified: input.emailVerified, roles, username, name: typeof name === 'string' ? name : null };
}

function readUsername(app: App, typed: string, issues: InputIssue[]): NewAccount['username'] {
  const username = usernamesAreOn(app) ? parseUsername(typed) : 'NOT_ALLOWED';
  if (typeof username !== 'string') return username;
  issues.push({ path: ['username'], code: username });
  return null;
}
