import type { App } from '../app.ts';
import { addressKey } from '../lib/client-address.ts';
import { type EmailAddress, parseEmailAddress } from '../lib/email-address.ts';
import { sendCode } from '../login/codes.ts';
import * as challenges from '../records/challenges.ts';
import type { Email } from '../records/emails.ts';
import * as emails from '../records/emails.ts';
import { transact, type Unit } from '../unit.ts';
import { evenly } from './shared/evenly.ts';
import { type FreshSession, lockViewer } from './shared/freshness.ts';
import {
  type Caller,
  type CodeSent,
  type EmailNotVerified,
  type InvalidInput,
  invalidInput,
  type NotFound,
  type RateLimited,
  rateLimited,
  type SignedIn,
  type Unauthenticated,
} from './shared/outcomes.ts';
import { cleanEmail } from './shared/sign-up-decisions.ts';

/** The addresses as they are now. */
export interface EmailsChanged {
  readonly kind: 'EmailsChanged';
  readonly emails: readonly Email[];
}

/** The primary address cannot be removed. */
export interface PrimaryEmailKept {
  readonly kind: 'PrimaryEmailKept';
}

export type AddEmailResult = CodeSent | InvalidInput | Unauthenticated | RateLimited;
export type SendEmailVerificationResult = CodeSent | NotFound | Unauthenticated | RateLimited;
export type SetPrimaryEmailResult = EmailsChanged | NotFound | EmailNotVerified | Unauthenticated | RateLimited;
export type RemoveEmailResult = EmailsChanged | NotFound | PrimaryEmailKept | Unauthenticated | RateLimited;

/**
 * Writes down an address that somebody says is theirs, and sends it what shows that. Until then it opens nothing and
 * keeps nobody from it.
 *
 * Where the address is somebody else's already, that person is told, and everything else is as ever: the row, the
 * answer, the work. But nobody can answer that challenge.
 */
export async function addEmail(
  app: App,
  caller: Caller,
  viewer: FreshSession,
  input: { readonly email: string },
): Promise<AddEmailResult> {
  const typed = parseEmailAddress(input.email);
  if (!typed) return invalidInput({ path: ['email'], code: input.email ? 'INVALID' : 'REQUIRED' });
  const limited = await limitChanges(app, viewer);
  if (limited) return limited;
  const address = await cleanEmail(app, typed);
  if (!address) return invalidInput({ path: ['email'], code: 'NOT_ALLOWED' });
  return transactChange<AddEmailResult>(
    app,
    caller,
    viewer,
    async (unit, own) => {
      const known = own.find((email) => email.address === address);
      if (known?.verified) return invalidInput({ path: ['email'], code: 'TAKEN' });
      if (!known && own.length >= emails.MAX_EMAILS) return invalidInput({ path: ['email'], code: 'NOT_ALLOWED' });
      await emails.claim(unit.db, viewer.user.id, address, unit.now);
      return sendVerification(unit, viewer, { address, isPrimary: known?.isPrimary ?? false });
    },
    { sendsMail: true },
  );
}

/** Sends once more what shows that an address is the viewer's. What was sent there before is void. */
export async function sendEmailVerification(
  app: App,
  caller: Caller,
  viewer: SignedIn,
  input: { readonly id: string },
): Promise<SendEmailVerificationResult> {
  return changeEmails<SendEmailVerificationResult>(
    app,
    caller,
    viewer,
    async (unit, own) => {
      const email = own.find(({ id }) => id === input.id);
      if (!email || email.verified) return { kind: 'NotFound' };
      const resendAt = await challenges.lastResendAt(unit.db, viewer.user.id, purposeFor(email), email.address);
      const pause = (resendAt?.getTime() ?? 0) - unit.now.getTime();
      if (pause > 0) return rateLimited(Math.ceil(pause / 1000));
      return sendVerification(unit, viewer, email);
    },
    { sendsMail: true },
  );
}

/** Makes a verified address the one that mail goes to. Resets and login codes that went to the old one are void. */
export async function setPrimaryEmail(
  app: App,
  caller: Caller,
  viewer: FreshSession,
  input: { readonly id: string },
): Promise<SetPrimaryEmailResult> {
  const userId = viewer.user.id;
  return changeEmails<SetPrimaryEmailResult>(app, caller, viewer, async ({ db, now, config, emit }, own) => {
    const email = own.find(({ id }) => id === input.id);
    if (!email) return { kind: 'NotFound' };
    if (email.isPrimary) return { kind: 'EmailsChanged', emails: own };
    if (!email.verified) return { kind: 'EmailNotVerified' };
    await emails.setPrimary(db, userId, email.id);
    await challenges.voidAll(db, userId, ['RESET_PASSWORD', 'LOGIN_CODE'], now);
    const before = own.find(({ isPrimary }) => isPrimary);
    // A mailbox that nobody has shown to be theirs hears nothing of the change.
    const from = before?.verified || config.emailVerification === 'NONE' ? (before?.address ?? null) : null;
    emit({ kind: 'PrimaryEmailChanged', userId, from, to: email.address });
    return { kind: 'EmailsChanged', emails: await emails.list(db, userId) };
  });
}

/** Takes an address away that is not the primary one, and voids what is on its way there. */
export async function removeEmail(
  app: App,
  caller: Caller,
  viewer: FreshSession,
  input: { readonly id: string },
): Promise<RemoveEmailResult> {
  const userId = viewer.user.id;
  return changeEmails<RemoveEmailResult>(app, caller, viewer, async ({ db, now, emit }, own) => {
    const email = own.find(({ id }) => id === input.id);
    if (!email) return { kind: 'NotFound' };
    if (email.isPrimary) return { kind: 'PrimaryEmailKept' };
    await emails.remove(db, userId, email.id);
    await challenges.voidTo(db, userId, email.address, now);
    // An address that was never shown to be theirs hears nothing of them.
    if (email.verified) emit({ kind: 'EmailRemoved', userId, address: email.address });
    return { kind: 'EmailsChanged', emails: own.filter((each) => each !== email) };
  });
}

/**
 * Runs a change of the addresses of a person while nobody else changes them.
 * @param work gets the addresses. An id that a client named is looked for among them and nowhere else: so one of
 * somebody else's is as unknown as any
 */
async function changeEmails<R>(
  app: App,
  caller: Caller,
  viewer: SignedIn,
  work: (unit: Unit, own: readonly Email[]) => Promise<R>,
  options: { readonly sendsMail?: boolean } = {},
): Promise<R | Unauthenticated | RateLimited> {
  return (await limitChanges(app, viewer)) ?? transactChange(app, caller, viewer, work, options);
}

async function limitChanges(app: App, { user }: SignedIn): Promise<RateLimited | null> {
  const wait = await app.limiter.count({ limit: 'changePerAccount', key: user.id });
  return wait === null ? null : rateLimited(wait);
}

async function transactChange<R>(
  app: App,
  { client }: Caller,
  viewer: SignedIn,
  work: (unit: Unit, own: readonly Email[]) => Promise<R>,
  { sendsMail = false }: { readonly sendsMail?: boolean },
): Promise<R | Unauthenticated> {
  const mails = { limit: 'mailPerAddress', key: addressKey(client.ipAddress) } as const;
  // Whoever has an account could still write to strangers with it.
  const muted = sendsMail && (await app.limiter.count(mails)) !== null;
  const change = () =>
    transact(
      app,
      client,
      async (unit) => {
        if (!(await lockViewer(unit, viewer))) return { kind: 'Unauthenticated', reason: 'REVOKED' } as const;
        return work(unit, await emails.list(unit.db, viewer.user.id));
      },
      { muted },
    );
  // The others concern nobody but the person, and need not wait.
  return sendsMail ? evenly(change) : change();
}

async function sendVerification(
  unit: Unit,
  { session, user }: SignedIn,
  email: Pick<Email, 'address' | 'isPrimary'>,
): Promise<CodeSent> {
  const { db, now } = unit;
  const purpose = purposeFor(email);
  const destination: EmailAddress = email.address;
  const elsewhere = await emails.isVerifiedByAnother(db, user.id, destination);
  await challenges.voidEarlier(db, user.id, purpose, destination, now);
  // The session says who asked, since a challenge that nobody can answer is nobody's.
  const asked = { purpose, userId: elsewhere ? null : user.id, sessionId: session.id, destination } as const;
  const sent = await sendCode(unit, { ...asked, channel: 'EMAIL' });
  if (!sent) throw new Error('a challenge that belongs to no login was refused');
  const { codeExpiresAt, resendAt } = sent.challenge;
  return { kind: 'CodeSent', handle: sent.handle, expiresAt: codeExpiresAt, resendAvailableAt: resendAt };
}

function purposeFor({ isPrimary }: Pick<Email, 'isPrimary'>): 'VERIFY_EMAIL' | 'CONFIRM_EMAIL' {
  return isPrimary ? 'VERIFY_EMAIL' : 'CONFIRM_EMAIL';
}
