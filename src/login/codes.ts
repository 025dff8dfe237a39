import { messageOf } from '../mail/challenge-message.ts';
import type { Challenge, ChallengePurpose, NewChallenge } from '../records/challenges.ts';
import * as challenges from '../records/challenges.ts';
import type { PendingLogin } from '../records/pending-logins.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as connections from '../records/social-connections.ts';
import * as users from '../records/users.ts';
import type { Unit } from '../unit.ts';

/** Milliseconds after which the holder of an address is told again that somebody signs up with it. */
const TOLD_AGAIN_AFTER_MS = 24 * 3_600_000;

/**
 * Makes a challenge and sends its code and link.
 * @param options `linkOnly` where nobody awaits a code; `last` voids the earlier ones of its person and purpose, but not
 * when too many were asked for, so that nothing is sent: nobody must be able to void what they cannot replace
 * @returns the challenge and the handle that names it; null if the pending login has one of this purpose already
 */
export async function sendCode(
  unit: Unit,
  asked: NewChallenge,
  {
    last = false,
    ...options
  }: { readonly linkOnly?: boolean; readonly afterPassword?: boolean; readonly last?: boolean } = {},
): Promise<{ readonly challenge: Challenge; readonly handle: string } | null> {
  const told = await wasTold(unit, asked);
  const issued = await challenges.issue(unit.db, unit.codeKeys, asked, unit.now, await makingOf(unit, asked));
  if (!issued) return null;
  const { id, userId, purpose } = issued.challenge;
  unit.send(messageOf(issued.challenge, issued.secrets, unit.config, { first: true, told, ...options }), {
    ...limitOf(issued.challenge),
    async unlessDropped() {
      announceCode(unit, issued.challenge, { again: false });
      if (last) await challenges.voidAll(unit.db, userId, [purpose], unit.now, id);
    },
  });
  return issued;
}

/**
 * Sends another code and link in the place of the earlier ones. Those stay good where too many were asked for, so that
 * nothing is sent.
 * @returns null if it was used, has no checks left, or may not be sent again yet
 */
export async function sendCodeAgain(
  unit: Unit,
  challenge: Challenge,
  options: { readonly afterPassword?: boolean } = {},
): Promise<Challenge | null> {
  const making = await makingOf(unit, challenge);
  const issued = await challenges.beginResend(unit.db, unit.codeKeys, challenge, unit.now, making);
  if (!issued) return null;
  const message = messageOf(issued.challenge, issued.secrets, unit.config, { first: false, ...options });
  unit.send(message, {
    ...limitOf(challenge),
    async unlessDropped() {
      announceCode(unit, issued.challenge, { again: true });
      await challenges.finishResend(unit.db, issued);
    },
  });
  return issued.challenge;
}

/** Sends another code and link to another destination. Those that went to the first one are void. */
export async function sendCodeToAnother(
  unit: Unit,
  challenge: Challenge,
  to: { readonly destination: string; readonly userId: string | null },
): Promise<Challenge | null> {
  const told = await wasTold(unit, { ...challenge, ...to });
  const making = await makingOf(unit, { ...challenge, ...to });
  const issued = await challenges.redirect(unit.db, unit.codeKeys, challenge, to, unit.now, making);
  if (!issued) return null;
  const message = messageOf(issued.challenge, issued.secrets, unit.config, { first: true, told });
  unit.send(message, {
    ...limitOf(issued.challenge),
    unlessDropped: async () => announceCode(unit, issued.challenge, { again: false }),
  });
  return issued.challenge;
}

/** From when on the code of a login may be sent again. */
export async function resendAvailableAt(
  login: PendingLogin & { readonly id?: string },
  purpose: ChallengePurpose,
  unit: Unit,
): Promise<Date> {
  const sent = login.id ? await challenges.findByLogin(unit.db, login.id, purpose) : null;
  return sent?.resendAt ?? new Date(unit.now.getTime() + challenges.RESEND_PAUSE_MS);
}

/**
 * Whether a sign-up named this address or number before and its holder was told of it: once is enough. Looked up for
 * every sign-up, as the time of the answer must not tell whether there is a holder.
 */
async function wasTold(
  { db, now }: Unit,
  {
    purpose,
    destination,
    sessionId,
  }: Pick<Challenge, 'purpose' | 'destination'> & { readonly sessionId?: string | null },
): Promise<boolean> {
  if ((purpose !== 'VERIFY_EMAIL' && purpose !== 'VERIFY_PHONE') || sessionId) return false;
  return challenges.wasAskedOfNobody(db, purpose, destination, new Date(now.getTime() - TOLD_AGAIN_AFTER_MS));
}

/**
 * How a code is made: by the operator's hook, which is asked for what nobody can answer as well, and whether a link may do
 * beside it. A link verifies for whoever presses it. Where an account at a provider is all that its maker has shown, the
 * owner of the mailbox would let them into it for ever, by one press: no reset ends that.
 */
async function makingOf(
  { db, hooks }: Unit,
  {
    purpose,
    channel,
    userId,
    pendingLoginId = null,
  }: Pick<NewChallenge, 'purpose' | 'channel' | 'userId'> & { readonly pendingLoginId?: string | null },
): Promise<challenges.MakeOptions> {
  const code = hooks.generateCode && (await hooks.generateCode({ purpose, channel }));
  if (purpose !== 'VERIFY_EMAIL' && purpose !== 'CONFIRM_EMAIL') return { code };
  const [connected, joins] = await Promise.all([
    connections.list(db, userId ?? users.NOBODY),
    pendingLogins.joinsIdentity(db, pendingLoginId),
  ]);
  return { code, codeOnly: joins || connected.length > 0 };
}

// For nobody as well: what is not written down is told by the time.
function announceCode(
  { emit }: Unit,
  { userId, purpose, channel }: Challenge,
  { again }: { readonly again: boolean },
): void {
  emit({ kind: 'CodeSent', userId, purpose, channel, again });
}

function limitOf({ purpose, destination, userId }: Challenge) {
  return { as: `${purpose} ${destination}`, userId };
}
