import type { Config } from './config.ts';
import type { GuardedHooks } from './hooks/guard.ts';
import type { Database } from './infra/database.ts';
import type { Task } from './infra/jobs.ts';
import type { Logger } from './infra/log.ts';
import type { Mailer } from './infra/mailer.ts';
import type { Cipher } from './lib/cipher.ts';
import { deliver } from './mail/deliver.ts';
import type { Message } from './mail/message.ts';
import { endAllOverdueSessions } from './overdue.ts';
import * as emails from './records/emails.ts';
import * as events from './records/events.ts';
import { purge } from './records/purge.ts';
import { reseal } from './reseal.ts';
import { DELIVER, type Post } from './unit.ts';

/** What the tasks work with. */
export interface TaskParts {
  readonly config: Config;
  readonly clock: () => Date;
  readonly database: Database;
  readonly cipher: Cipher;
  readonly hooks: GuardedHooks;
  readonly mailer: Mailer;
  readonly log: Logger;
}

/** When which task runs without anybody asking (crontab(5), UTC). */
export const CRON = [
  { task: 'purge', pattern: '17 * * * *' },
  { task: 'reseal', pattern: '*/10 * * * *' },
  { task: 'endOverdueSessions', pattern: '47 * * * *' },
] as const;

/** What is done outside of requests, by name. */
export function createTasks(parts: TaskParts): Readonly<Record<string, Task>> {
  const { config, clock, database } = parts;
  const { product: name, color, logoUrl } = config.mail;
  const brand = { name, color, logoUrl, url: config.frontendUrl };
  const delivery = {
    brand,
    hooks: parts.hooks,
    sendMail: parts.mailer.send,
    // A mailbox that nobody has shown to be theirs is a stranger's: it hears nothing of the account.
    primaryEmailOf: (userId: string) =>
      emails.primaryOf(database, userId, { verified: config.emailVerification !== 'NONE' }),
  };

  return {
    async [DELIVER](payload, { last }) {
      const { id, message } = open(parts.cipher, payload);
      if (message === null) return;
      try {
        await deliver(delivery, message, id);
      } catch (error) {
        if (last) await noteUndelivered(database, message, clock());
        throw error;
      }
    },
    purge: () => purge(database, config.eventRetention, clock()),
    // Those who follow somebody's events hear of it at once; this is for the record.
    endOverdueSessions: () => endAllOverdueSessions(database, config.session.idle, clock()),
    async reseal() {
      if (!parts.cipher.hasOlder) return;
      const { resealed, unopened } = await reseal(database, parts.cipher);
      if (resealed > 0) parts.log.info({ resealed }, 'sealed anew with the first secret of POSTERN_SECRET');
      if (unopened > 0)
        parts.log.error(
          { unopened },
          'no secret of POSTERN_SECRET opens some authenticator apps or tokens of providers',
        );
    },
  };
}

function open(cipher: Cipher, payload: unknown): Post {
  const opened = cipher.open((payload as { sealed: string }).sealed, DELIVER);
  if (opened === null) throw new Error('no secret that is configured opens the message');
  return JSON.parse(opened);
}

async function noteUndelivered(database: Database, message: Message, now: Date): Promise<void> {
  const userId = 'userId' in message.to ? message.to.userId : null;
  const kind = 'mail' in message ? message.mail : message.sms;
  const nowhere = { ipAddress: null, userAgent: null };
  await events.append(database, [{ kind: 'MessageNotDelivered', userId, message: kind }], nowhere, now);
}
