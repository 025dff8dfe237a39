import { randomUUID } from 'node:crypto';
import { countAccountTry } from './account-limit.ts';
import type { App } from './app.ts';
import type { Config } from './config.ts';
import type { AuthEvent } from './events.ts';
import type { GuardedHooks } from './hooks/guard.ts';
import type { AccessTokens } from './infra/access-tokens.ts';
import type { Db } from './infra/database.ts';
import { addJob } from './infra/jobs.ts';
import type { Cipher } from './lib/cipher.ts';
import type { UserFields } from './lib/user-fields/declaration.ts';
import type { Message } from './mail/message.ts';
import { noticesOf } from './mail/security-notices.ts';
import type { CodeKeys } from './records/challenges.ts';
import * as emails from './records/emails.ts';
import * as events from './records/events.ts';
import { isTold } from './records/session-events.ts';

/** Where a request came from, as data. */
export interface Client {
  readonly ipAddress: string;
  readonly userAgent: string | null;
}

/** One transaction, one instant. */
export interface Unit {
  readonly db: Db;
  readonly now: Date;
  readonly config: Config;
  readonly client: Client;
  readonly accessTokens: AccessTokens;
  readonly cipher: Cipher;
  readonly codeKeys: CodeKeys;
  readonly hooks: GuardedHooks;
  readonly userFields: UserFields;
  /** Announces a fact: written with the transaction, acted upon after it. The person is told of what they should know. */
  emit(event: AuthEvent): void;
  /**
   * Sends a message once the transaction has committed. Null sends nothing and takes the same work, so that the time of
   * an answer does not tell which it was.
   * @param limited for what anybody could ask for
   */
  send(message: Message | null, limited?: Limited): void;
}

/** How a message is kept from filling somebody's mailbox. */
export interface Limited {
  /** What the limit counts for: who gets it, and what for. The same whether or not there is something to be said. */
  readonly as: string;
  /** Whose account it is about; null for nobody's. */
  readonly userId: string | null;
  /** Done in the transaction, unless the message is dropped because too many were asked for. */
  readonly unlessDropped?: () => Promise<void>;
}

/** The name of the job that delivers a message, and what its payload is sealed for. */
export const DELIVER = 'deliver';

const MAX_ATTEMPTS = 3;

/**
 * What PostgreSQL ends a transaction with when two got in each other's way: a deadlock, two that cannot be put in an
 * order, a row that was there when it was looked for and is not, or the other way round. The second attempt sees what
 * the other one did.
 */
const COLLISIONS: ReadonlySet<string> = new Set(['40P01', '40001', '23503', '23505']);

interface TransactOptions {
  readonly muted?: boolean;
  readonly by?: string;
}

/** What is sealed in such a job. */
export interface Post {
  /** Names the message, however often it is tried. */
  readonly id: string;
  readonly message: Message | null;
}

/**
 * Runs work in one transaction at one instant. A return commits, a throw rolls back: so what was refused, but has to
 * leave a trace (a spent attempt), is returned.
 *
 * Nothing slow belongs inside: hashing and every call to the outside happen before or after. Messages are jobs of the
 * same transaction: none is sent for something that did not happen, and none is lost for something that did.
 * @param options `muted` sends nothing that anybody could ask for; `by` is the administrator who acts on others: what is
 * told of those does not tell where the administrator is
 */
export async function transact<R>(
  app: App,
  client: Client,
  work: (unit: Unit) => Promise<R>,
  options: TransactOptions = {},
): Promise<R> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await attempt(app, client, work, options);
    } catch (error) {
      const again = attempts < MAX_ATTEMPTS && COLLISIONS.has((error as { code?: string }).code ?? '');
      if (!again) throw error;
    }
  }
}

async function attempt<R>(
  app: App,
  client: Client,
  work: (unit: Unit) => Promise<R>,
  options: TransactOptions,
): Promise<R> {
  const announced: AuthEvent[] = [];
  const messages: { readonly message: Message | null; readonly limited: Limited | undefined }[] = [];
  let due: (Message | null)[] = [];
  let notices: Message[] = [];
  const now = app.clock();
  const { config, accessTokens, database, cipher, codeKeys, hooks, userFields } = app;
  const result = await database.transaction(
    async (db) => {
      const result = await work({
        db,
        now,
        config,
        client,
        accessTokens,
        cipher,
        codeKeys,
        hooks,
        userFields,
        emit: (event) => announced.push(event),
        send: (message, limited) => messages.push({ message, limited }),
      });
      due = await Promise.all(
        messages.map(async ({ message, limited }) => {
          if (!limited) return message;
          if (await isOverLimit(app, db, client, limited, options.muted ?? false)) return null;
          await limited.unlessDropped?.();
          return message;
        }),
      );
      notices = await dueNotices(app, db, { ...client, of: options.by ?? null }, announced, now);
      return result;
    },
    // Without waiting for anything before its statements, or they would come after the commit.
    (db) =>
      Promise.all([
        // The operator's own code comes from no address.
        events.append(db, announced, { ...client, ipAddress: client.ipAddress || null, of: options.by ?? null }, now),
        ...[...due, ...notices].map((message) => post(app.cipher, db, message)),
      ]),
  );
  // The bus tells every instance; this one must not wait for it, or its own next request could still be recognised.
  for (const event of announced) forgetChanged(app, event);
  app.deliveries.noteEvents(announced);
  app.live.announceEvents(announced.filter(isTold).flatMap(({ userId }) => userId ?? []));
  return result;
}

function forgetChanged({ sessions, live: { connections } }: App, event: AuthEvent): void {
  switch (event.kind) {
    case 'SessionEnded':
    case 'Reauthenticated':
      sessions.dropSession(event.sessionId);
      connections.wake(event.sessionId);
      break;
    // These change nobody, and strangers can bring some of them about.
    case 'LoggedIn':
    case 'LoginFailed':
    case 'LoginStepCompleted':
    case 'CodeSent':
    case 'CodeRejected':
    case 'LimitHit':
    case 'SessionClientChanged':
    case 'ProviderUpdated':
    case 'SignedUp':
    case 'SignUpRepeated':
    case 'AdministratorActed':
    case 'MessageNotDelivered':
      break;
    default:
      sessions.dropUser(event.userId);
      connections.wake(event.userId);
  }
}

/**
 * What people are to be told. Where addresses are not verified, a mailbox may be that of somebody who never heard of us:
 * it hears of each kind of change a few times, however often that happens.
 */
async function dueNotices(
  app: App,
  db: Db,
  client: Client & { readonly of: string | null },
  announced: readonly AuthEvent[],
  at: Date,
): Promise<Message[]> {
  const notices = announced.flatMap((event) => noticesOf(event, { ...client, at }));
  if (app.config.emailVerification !== 'NONE') return notices;
  const due: Message[] = [];
  for (const notice of notices) {
    const userId = 'userId' in notice.to ? notice.to.userId : null;
    const proven = userId === null || (await emails.primaryOf(db, userId, { verified: true }));
    const change = 'mail' in notice && notice.mail === 'SecurityNotice' ? notice.data.change : '';
    if (proven || !(await isOverLimit(app, db, client, { as: `${change} ${userId}`, userId: null }, false)))
      due.push(notice);
  }
  return due;
}

// A stranger must not be able to fill somebody's mailbox, nor to keep its owner from getting a mail: see the limits of
// tries at an account. Whoever asked gets the same answer.
async function isOverLimit(
  app: App,
  db: Db,
  client: Client,
  { as, userId }: Limited,
  muted: boolean,
): Promise<boolean> {
  const limit = 'mailPerRecipient';
  const owner = async () => userId;
  const parts = { limiter: app.limiter.within(db), database: db };
  const { wait } = await countAccountTry(parts, { client }, { limit, key: as, owner });
  if (wait === null && !muted) return false;
  // The answer does not tell. Whoever wonders why no mail comes finds it here.
  const [purpose] = as.split(' ');
  app.log.info({ purpose }, `a message was not sent: ${muted ? 'mailPerAddress' : limit} is reached`);
  return true;
}

/**
 * Adds the job that delivers a message, in the transaction that it belongs to. Sealed, because it carries codes and
 * links, of which the database holds nothing but hashes.
 */
export function post(cipher: Cipher, db: Db, message: Message | null): Promise<void> {
  const sealed: Post = { id: randomUUID(), message };
  return addJob(db, { task: DELIVER, payload: { sealed: cipher.seal(JSON.stringify(sealed), DELIVER) } });
}
