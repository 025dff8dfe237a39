import { randomUUID } from 'node:crypto';
import type { App } from '../app.ts';
import { addressKey } from '../lib/client-address.ts';
import { domainOf, type EmailAddress, localPartOf, parseEmailAddress } from '../lib/email-address.ts';
import { beginLogin, type LoginStep } from '../login/pipeline.ts';
import * as emails from '../records/emails.ts';
import * as passwords from '../records/passwords.ts';
import type { CredentialKind } from '../records/sessions.ts';
import * as users from '../records/users.ts';
import { transact } from '../unit.ts';
import {
  type Caller,
  type InputIssue,
  type InputIssueCode,
  type InvalidInput,
  invalidInput,
  loginContext,
  type PasswordRejected,
  type RateLimited,
  rateLimited,
} from './outcomes.ts';

export interface SignUpInput {
  readonly email?: string | null | undefined;
  readonly username?: string | null | undefined;
  readonly phone?: string | null | undefined;
  readonly password?: string | null | undefined;
  readonly name?: string | null | undefined;
  readonly credential: CredentialKind;
}

export interface SignUpClosed {
  readonly kind: 'SignUpClosed';
}

export type SignUpResult = LoginStep | SignUpClosed | PasswordRejected | InvalidInput | RateLimited;

const MAX_NAME_LENGTH = 200;
const BUSY_RETRY_SECONDS = 1;

/** Makes an account for somebody new and logs them in, as far as their login asks nothing more. */
export async function signUp(app: App, caller: Caller, input: SignUpInput): Promise<SignUpResult> {
  if (app.config.signUp === 'closed') return { kind: 'SignUpClosed' };
  const person = readPerson(input);
  if ('kind' in person) return person;

  const slot = app.passwords.reserve();
  if (!slot) return rateLimited(BUSY_RETRY_SECONDS);
  try {
    const wait = await app.limiter.count({ limit: 'signUpPerAddress', key: addressKey(caller.client.ipAddress) });
    if (wait !== null) return rateLimited(wait);
    const reasons = await app.passwords.refuse(person.password, {
      minLength: app.config.password.minLength,
      words: [person.email, localPartOf(person.email), domainOf(person.email), person.name ?? ''],
    });
    if (reasons.length > 0) return { kind: 'PasswordRejected', reasons };
    const password = await slot.hash(person.password);

    return await transact(app, caller.client, async (unit) => {
      const { db, now } = unit;
      const userId = randomUUID();
      await users.create(db, { id: userId, name: person.name, now });
      if (!(await emails.addPrimary(db, userId, person.email, now))) {
        await users.remove(db, userId);
        return invalidInput({ path: ['email'], code: 'TAKEN' });
      }
      await passwords.set(db, userId, password, now);
      unit.emit({ kind: 'SignedUp', userId });
      const step = await beginLogin(unit, loginContext(app, caller), {
        purpose: 'SIGN_UP',
        userId,
        credential: input.credential,
        methods: [{ method: 'PASSWORD', at: now.toISOString() }],
        passwordChangedAt: now,
      });
      if (!step) throw new Error('an account that was made a moment ago refused its first login');
      return step;
    });
  } finally {
    slot.release();
  }
}

interface Person {
  readonly email: EmailAddress;
  readonly password: string;
  readonly name: string | null;
}

function readPerson(input: SignUpInput): Person | InvalidInput {
  const issues: InputIssue[] = [];
  if (input.username != null) issues.push({ path: ['username'], code: 'NOT_ALLOWED' });
  if (input.phone != null) issues.push({ path: ['phone'], code: 'NOT_ALLOWED' });
  const email = input.email ? parseEmailAddress(input.email) : null;
  if (!email) issues.push({ path: ['email'], code: input.email ? 'INVALID' : 'REQUIRED' });
  if (!input.password) issues.push({ path: ['password'], code: 'REQUIRED' });
  const name = readName(input.name ?? '');
  if (name && typeof name === 'object') issues.push({ path: ['name'], code: name.problem });
  if (!email || !input.password || issues.length > 0) return invalidInput(...issues);
  return { email, password: input.password, name: typeof name === 'string' ? name : null };
}

function readName(typed: string): string | null | { readonly problem: InputIssueCode } {
  // Normalizing takes time that grows with the square of a run of combining marks: only what may fit is normalized.
  if (typed.length > 8 * MAX_NAME_LENGTH) return { problem: 'TOO_LONG' };
  const name = typed.normalize('NFC').trim();
  if ([...name].length > MAX_NAME_LENGTH) return { problem: 'TOO_LONG' };
  // Control and invisible formatting characters forge lines in mails and logs; lone surrogates are no text.
  if (/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(name) || !name.isWellFormed())
    return { problem: 'INVALID' };
  return name || null;
}
