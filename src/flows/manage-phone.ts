import type { App } from '../app.ts';
import { addressKey } from '../lib/client-address.ts';
import { type PhoneNumber, parsePhoneNumber } from '../lib/phone-number.ts';
import { sendCode } from '../login/codes.ts';
import * as challenges from '../records/challenges.ts';
import * as phones from '../records/phones.ts';
import { transact, type Unit } from '../unit.ts';
import { evenly } from './shared/evenly.ts';
import { type FreshSession, lockViewer } from './shared/freshness.ts';
import { phonesAreOn } from './shared/identifier.ts';
import {
  type Caller,
  type CodeSent,
  type InvalidInput,
  invalidInput,
  type LastLoginMethod,
  type NotFound,
  type RateLimited,
  rateLimited,
  type Unauthenticated,
} from './shared/outcomes.ts';
import { canGoWithout } from './shared/ways-in.ts';

export interface PhoneRemoved {
  readonly kind: 'PhoneRemoved';
  readonly number: string;
}

export type SetPhoneResult = CodeSent | InvalidInput | Unauthenticated | RateLimited;
export type RemovePhoneResult = PhoneRemoved | NotFound | LastLoginMethod | Unauthenticated;

/**
 * Sends a code to a number that somebody says is theirs. Until it is answered everything stays as it is, the number
 * before included.
 *
 * Where the number is somebody else's already, that person is told, and nobody can answer; nothing else tells.
 */
export async function setPhone(
  app: App,
  { client }: Caller,
  viewer: FreshSession,
  input: { readonly phone: string },
): Promise<SetPhoneResult> {
  if (!phonesAreOn(app)) return invalidInput({ path: ['phone'], code: 'NOT_ALLOWED' });
  const number = parsePhoneNumber(input.phone);
  if (!number) return invalidInput({ path: ['phone'], code: input.phone ? 'INVALID' : 'REQUIRED' });
  const { id } = viewer.user;
  const wait = await app.limiter.count({ limit: 'changePerAccount', key: id });
  if (wait !== null) return rateLimited(wait);
  // Whoever has an account could still write to strangers with it.
  const muted = (await app.limiter.count({ limit: 'mailPerAddress', key: addressKey(client.ipAddress) })) !== null;

  return evenly(() =>
    transact(
      app,
      client,
      async (unit) => {
        if (!(await lockViewer(unit, viewer))) return { kind: 'Unauthenticated', reason: 'REVOKED' };
        const own = await phones.find(unit.db, id);
        if (own?.verified && own.number === number) return invalidInput({ path: ['phone'], code: 'TAKEN' });
        return sendVerification(unit, viewer, number);
      },
      { muted },
    ),
  );
}

/** Takes the number away, unless it is the last thing to log in with. */
export async function removePhone(app: App, { client }: Caller, viewer: FreshSession): Promise<RemovePhoneResult> {
  const { id } = viewer.user;
  return transact(app, client, async (unit): Promise<RemovePhoneResult> => {
    const { db, now, emit } = unit;
    const known = await lockViewer(unit, viewer);
    if (!known) return { kind: 'Unauthenticated', reason: 'REVOKED' };
    const phone = await phones.find(db, id);
    if (!phone) return { kind: 'NotFound' };
    if (!(await canGoWithout(app, unit, known.user, { phone: true }))) return { kind: 'LastLoginMethod' };
    await phones.remove(db, id);
    await challenges.voidTo(db, id, phone.number, now);
    // Nor does a code that was asked for before bring a number back.
    await challenges.voidEarlier(db, id, 'VERIFY_PHONE', null, now);
    emit({ kind: 'PhoneRemoved', userId: id, number: phone.number });
    return { kind: 'PhoneRemoved', number: phone.number };
  });
}

async function sendVerification(
  unit: Unit,
  { session, user }: FreshSession,
  destination: PhoneNumber,
): Promise<CodeSent> {
  const { db, now } = unit;
  const elsewhere = await phones.isVerifiedByAnother(db, user.id, destination);
  // There is one number, so there is one on its way to be it.
  await challenges.voidEarlier(db, user.id, 'VERIFY_PHONE', null, now);
  // The session says who asked, since a challenge that nobody can answer is nobody's.
  const asked = { userId: elsewhere ? null : user.id, sessionId: session.id, destination } as const;
  const sent = await sendCode(unit, { ...asked, purpose: 'VERIFY_PHONE', channel: 'SMS' });
  if (!sent) throw new Error('a challenge that belongs to no login was refused');
  const { codeExpiresAt, resendAt } = sent.challenge;
  return { kind: 'CodeSent', handle: sent.handle, expiresAt: codeExpiresAt, resendAvailableAt: resendAt };
}
