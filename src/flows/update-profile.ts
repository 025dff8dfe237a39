import type { App } from '../app.ts';
import { parsePersonName } from '../lib/person-name.ts';
import { parseFieldValues, withChanges } from '../lib/user-fields/values.ts';
import { parseUsername, type Username } from '../lib/username.ts';
import type { Session } from '../records/sessions.ts';
import type { User } from '../records/users.ts';
import * as users from '../records/users.ts';
import { transact } from '../unit.ts';
import { lockViewer } from './shared/freshness.ts';
import { usernamesAreOn } from './shared/identifier.ts';
import {
  type Caller,
  type InputIssue,
  type InvalidInput,
  invalidInput,
  type RateLimited,
  rateLimited,
  type SignedIn,
  type Unauthenticated,
} from './shared/outcomes.ts';
import { cleanUsername } from './shared/sign-up-decisions.ts';
import { takenFields } from './shared/user-fields.ts';
import { canGoWithout } from './shared/ways-in.ts';

/** What is left out stays; null or nothing at all takes it away. */
export interface UpdateProfileInput {
  readonly name?: string | null | undefined;
  readonly username?: string | null | undefined;
  /** The operator's own fields, by name. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface ProfileUpdated {
  readonly kind: 'ProfileUpdated';
  /** As they are now. */
  readonly user: User;
  /** Through which they are seen. */
  readonly session: Session;
}

export type UpdateProfileResult = ProfileUpdated | InvalidInput | Unauthenticated | RateLimited;

/** Changes what a person is called: all of it, or nothing and every reason why not. */
export async function updateProfile(
  app: App,
  { client }: Caller,
  viewer: SignedIn,
  input: UpdateProfileInput,
): Promise<UpdateProfileResult> {
  const { user, session } = viewer;
  const { id } = user;
  const issues: InputIssue[] = [];
  const name = readName(input.name, issues);
  const typed = readUsername(app, input.username, issues);
  const own = parseFieldValues(app.userFields, input.fields, 'OWNER');
  issues.push(...own.issues);
  const wait = await app.limiter.count({ limit: 'changePerAccount', key: id });
  if (wait !== null) return rateLimited(wait);
  const username = typed && ((await cleanUsername(app, typed)) ?? undefined);
  if (typed && !username) issues.push(refused);

  return transact(app, client, async (unit): Promise<UpdateProfileResult> => {
    const { db, emit } = unit;
    const before = await lockViewer(unit, viewer);
    if (!before) return { kind: 'Unauthenticated', reason: 'REVOKED' };
    if (username && (await users.hasUsername(db, username.key, id))) issues.push(taken);
    const givesUp = username === null && before.user.username !== null;
    if (givesUp && !(await canGoWithout(app, unit, before.user, { username: true }))) issues.push(needed);
    issues.push(...(await takenFields(unit, id, own.changes)));
    if (issues.length > 0) return invalidInput(...issues);

    const newUsername = username === undefined ? before.user.username : (username?.username ?? null);
    if (username !== undefined && newUsername !== before.user.username) {
      // Looked up above, but another may have come between.
      if (!(await users.setUsername(db, id, username))) return invalidInput(taken);
      emit({ kind: 'UsernameChanged', userId: id, username: newUsername });
    }
    const newName = name === undefined ? before.user.name : name;
    if (newName !== before.user.name) await users.setName(db, id, newName);
    const newFields = Object.keys(own.changes).length > 0 && (await users.setFields(db, id, own.changes));
    if (newName !== before.user.name || newFields) emit({ kind: 'ProfileUpdated', userId: id });
    const fields = withChanges(before.user.fields, own.changes);
    return { kind: 'ProfileUpdated', session, user: { ...before.user, name: newName, username: newUsername, fields } };
  });
}

const taken: InputIssue = { path: ['username'], code: 'TAKEN' };
const refused: InputIssue = { path: ['username'], code: 'NOT_ALLOWED' };
const needed: InputIssue = { path: ['username'], code: 'REQUIRED' };

function readName(typed: string | null | undefined, issues: InputIssue[]): string | null | undefined {
  if (typed === undefined) return undefined;
  const name = parsePersonName(typed ?? '');
  if (name === null || typeof name === 'string') return name;
  issues.push({ path: ['name'], code: name.problem });
  return undefined;
}

function readUsername(
  app: App,
  typed: string | null | undefined,
  issues: InputIssue[],
): { readonly username: Username; readonly key: string } | null | undefined {
  if (typed === undefined) return undefined;
  // Whoever has one from the time when there were user names may still give it up.
  if (!typed) return null;
  const username = usernamesAreOn(app) ? parseUsername(typed) : 'NOT_ALLOWED';
  if (typeof username !== 'string') return username;
  issues.push({ path: ['username'], code: username });
  return undefined;
}
