import type { App } from '../app.ts';
import { totpData } from '../factors/totp.ts';
import { qrCodeUrl } from '../lib/qr-code.ts';
import { makeTotpSecret, matchTotp, type TotpParameters, totpUri } from '../lib/totp.ts';
import type { LoginExpired } from '../login/pipeline.ts';
import type { Authenticator } from '../records/authenticators.ts';
import * as authenticators from '../records/authenticators.ts';
import * as users from '../records/users.ts';
import { transact } from '../unit.ts';
import {
  accountNames,
  admit,
  beginEnrollment,
  type EnrollmentRefused,
  enroll,
  findEnrollment,
} from './shared/enrollment.ts';
import { limitFactorChecks } from './shared/factor-answer.ts';
import {
  type Caller,
  type EmailNotVerified,
  type InvalidCode,
  type InvalidToken,
  type RateLimited,
  type ReauthenticationRequired,
  rateLimited,
  type Unauthenticated,
} from './shared/outcomes.ts';

/** A secret for an authenticator app. It counts for nothing until the app has shown its first code. */
export interface TotpStarted {
  readonly kind: 'TotpStarted';
  readonly handle: string;
  readonly expiresAt: Date;
  /** Base32, for typing in. */
  readonly secret: string;
  readonly uri: string;
  /** The uri as an SVG image, in a `data:` URL. */
  readonly qrCode: string;
}

/** The person has an authenticator app already. */
export interface AlreadyEnabled {
  readonly kind: 'AlreadyEnabled';
}

export interface TotpEnabled {
  readonly kind: 'TotpEnabled';
  readonly authenticator: Authenticator;
  readonly recoveryCodes: readonly string[] | null;
}

export type BeginTotpResult =
  | TotpStarted
  | AlreadyEnabled
  | EmailNotVerified
  | EnrollmentRefused
  | ReauthenticationRequired
  | Unauthenticated
  | LoginExpired
  | RateLimited;
export type ConfirmTotpResult =
  | TotpEnabled
  | AlreadyEnabled
  | EnrollmentRefused
  | InvalidCode
  | InvalidToken
  | RateLimited;

/** What is kept between the secret and the first code. */
interface TotpState extends TotpParameters {
  readonly secret: string;
}

/** Begins to set an authenticator app up. */
export async function beginTotp(
  app: App,
  caller: Caller,
  { loginToken }: { readonly loginToken?: string | null | undefined },
): Promise<BeginTotpResult> {
  const limited = await limitFactorChecks(app, caller);
  if (limited) return limited;
  return transact(app, caller.client, async (unit): Promise<BeginTotpResult> => {
    const enrollee = await admit(app, unit, caller, 'TOTP', loginToken ?? null);
    if (enrollee.kind !== 'enrollee') return enrollee;
    const { db, config } = unit;
    const { userId } = enrollee;
    if (await hasTotp(db, userId)) return { kind: 'AlreadyEnabled' };
    const wait = await app.limiter.count({ limit: 'changePerAccount', key: userId });
    if (wait !== null) return rateLimited(wait);
    const { issuer, period, digits } = config.mfa.totp;
    const state: TotpState = { secret: makeTotpSecret(), period, digits };
    const begun = await beginEnrollment(unit, enrollee, 'ENROLL_TOTP', JSON.stringify(state));
    const label = (await accountNames(unit, userId)).name;
    const uri = totpUri(state.secret, { issuer, label, period, digits });
    return { kind: 'TotpStarted', ...begun, secret: state.secret, uri, qrCode: qrCodeUrl(uri) };
  });
}

/** Adds the app whose first code this is. The code counts as used. */
export async function confirmTotp(
  app: App,
  caller: Caller,
  { handle, code }: { readonly handle: string; readonly code: string },
): Promise<ConfirmTotpResult> {
  const limited = await limitFactorChecks(app, caller);
  if (limited) return limited;
  const begun = await findEnrollment(app, caller, 'ENROLL_TOTP', handle);
  if (begun.kind !== 'begun') return begun;
  const state: TotpState = JSON.parse(begun.state);

  return transact(app, caller.client, async (unit): Promise<ConfirmTotpResult> => {
    const { db, now, cipher } = unit;
    const { userId } = begun.ceremony;
    // Of several at once, each sees what the one before has added.
    await users.lock(db, userId);
    if (await hasTotp(db, userId)) return { kind: 'AlreadyEnabled' };
    const lastStep = matchTotp(code, state.secret, state, { now, lastStep: null });
    if (lastStep === null) return { kind: 'InvalidCode', attemptsLeft: begun.attemptsLeft };
    const data = totpData(cipher, userId, { ...state, lastStep });
    const enrolled = await enroll(app, unit, begun, { kind: 'TOTP', data });
    if (enrolled?.kind !== 'enrolled') return enrolled ?? { kind: 'AlreadyEnabled' };
    return { ...enrolled, kind: 'TotpEnabled' };
  });
}

async function hasTotp(db: Parameters<typeof authenticators.list>[0], userId: string): Promise<boolean> {
  return (await authenticators.list(db, userId)).some(({ kind }) => kind === 'TOTP');
}
