import type { Act } from './administration/act.ts';
import type { Config } from './config.ts';
import type { AuthEvent } from './events.ts';
import type { Database, Db } from './infra/database.ts';
import type { Cipher } from './lib/cipher.ts';
import { parseEmailAddress } from './lib/email-address.ts';
import { isUuid } from './lib/uuid.ts';
import type { Message } from './mail/message.ts';
import { noticesOf } from './mail/security-notices.ts';
import type { CodeKeys } from './records/challenges.ts';
import * as emails from './records/emails.ts';
import * as events from './records/events.ts';
import * as users from './records/users.ts';
import { post } from './unit.ts';

/** What the command line works with. */
export interface OperatorParts {
  readonly database: Database;
  readonly config: Config;
  readonly cipher: Cipher;
  readonly codeKeys: CodeKeys;
}

const COMMAND_LINE = { ipAddress: null, userAgent: null };

/**
 * Runs an act of the operator in one transaction, with the events that tell of it. Every instance hears of it from the
 * database; mails are jobs, which a gateway sends as soon as one runs.
 */
export function asOperator<R>(
  { database, config, cipher, codeKeys }: OperatorParts,
  now: Date,
  work: (act: Act) => Promise<R>,
): Promise<R> {
  const announced: AuthEvent[] = [];
  const messages: (Message | null)[] = [];
  const act: Omit<Act, 'db'> = {
    now,
    config,
    cipher,
    codeKeys,
    by: null,
    emit: (event) => announced.push(event),
    send: (message) => messages.push(message),
  };
  return database.transaction(
    (db) => work({ ...act, db }),
    (db) => {
      const notices = announced.flatMap((event) => noticesOf(event, { ...COMMAND_LINE, at: now }));
      return Promise.all([
        events.append(db, announced, COMMAND_LINE, now),
        ...[...messages, ...notices].map((message) => post(cipher, db, message)),
      ]);
    },
  );
}

/**
 * The same for an act on one account.
 * @param who the id of a person, or an address that names their account
 * @returns null if there is nobody like that
 */
export function operate<R>(
  parts: OperatorParts,
  who: string,
  now: Date,
  work: (act: Act, userId: string) => Promise<R>,
): Promise<R | null> {
  return asOperator(parts, now, async (act) => {
    const userId = await idOf(act.db, who);
    return userId !== null && (await users.lock(act.db, userId)) ? work(act, userId) : null;
  });
}

/**
 * Whom an operator means.
 * @param who the id of a person, or an address that names their account
 * @returns an id as it is, also of somebody who is gone; null if the address is nobody's
 */
export async function idOf(db: Db, who: string): Promise<string | null> {
  if (isUuid(who)) return who.toLowerCase();
  const address = parseEmailAddress(who);
  return address && emails.holderOf(db, address);
}
