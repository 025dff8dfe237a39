import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';
import {
  type Deliveries,
  type Listeners,
  listenersSubscriber,
  startDeliveries,
  webhookSubscriber,
} from './deliveries/index.ts';
import type { WebhookEntry } from './deliveries/settings.ts';
import { type GuardedHooks, guardHooks } from './hooks/guard.ts';
import type { Hooks } from './hooks.ts';
import { type AccessTokens, createAccessTokens } from './infra/access-tokens.ts';
import { type BreachedPasswords, createBreachedPasswords } from './infra/breached-passwords.ts';
import { type Bus, type Change, openBus } from './infra/bus.ts';
import { type Database, openDatabase } from './infra/database.ts';
import { type FieldIndexes, updateFieldIndexes } from './infra/field-indexes.ts';
import { type Jobs, startJobs } from './infra/jobs.ts';
import { createKeyRing, type KeyRing, type StoredKey } from './infra/key-ring.ts';
import { createPostgresCounters } from './infra/limiter/in-postgres.ts';
import { openInsuredCounters } from './infra/limiter/insured.ts';
import { createLimiter, type Limiter, type LimitHit, longestWindowOf } from './infra/limiter.ts';
import type { Logger } from './infra/log.ts';
import { createSmtpMailer, type Mailer } from './infra/mailer.ts';
import { createOutbox, type Outbox } from './infra/outbox.ts';
import { createPasswords, type Passwords } from './infra/passwords.ts';
import { createProviders, type Providers } from './infra/providers.ts';
import { createSessionCache, type SessionCache } from './infra/session-cache.ts';
import { type Cipher, createCipher, deriveKeys } from './lib/cipher.ts';
import type { UserFieldDeclarations, UserFields } from './lib/user-fields/declaration.ts';
import { requireUserFields } from './lib/user-fields/read.ts';
import { createHitTeller } from './limit-hits.ts';
import { type Live, openLive } from './live.ts';
import type { Stages } from './login/stage.ts';
import { stages } from './login/stages/index.ts';
import type { ProviderEntry } from './providers/settings.ts';
import type { CodeKeys } from './records/challenges.ts';
import type { KnownSession } from './records/sessions.ts';
import * as signingKeys from './records/signing-keys.ts';
import { CRON, createTasks } from './tasks.ts';

/** Sessions that one instance remembers; some 2 KiB each. */
const MAX_REMEMBERED_SESSIONS = 20_000;
const KEY_ROTATION_CHECK_MS = 60_000;

/** A session as this instance remembers it, with the use of it that is not written yet. */
export type RememberedSession = KnownSession & {
  readonly use: {
    lastSeenAt: Date;
    writtenAt: Date;
    seenWith: KnownSession['seenWith'];
    /** When it was last tried to note another client. */
    clientTriedAt: Date | null;
  };
};

export type { Count, LimitHit } from './infra/limiter.ts';
export type { FlowSecrets, ProvenIdentity, ProviderFault, ProviderTokens } from './infra/providers.ts';

/** Everything that a flow may use. */
export interface App {
  readonly config: Config;
  readonly log: Logger;
  /** The one source of "now". */
  readonly clock: () => Date;
  readonly database: Database;
  readonly passwords: Passwords;
  readonly limiter: Limiter;
  readonly bus: Bus;
  readonly sessions: SessionCache<RememberedSession>;
  readonly live: Live;
  readonly deliveries: Deliveries;
  readonly keys: KeyRing;
  readonly accessTokens: AccessTokens;
  /** Make the successors of refresh tokens: the first is the current one. */
  readonly refreshKeys: readonly [Buffer, ...Buffer[]];
  /** Hash the codes that people type. */
  readonly codeKeys: CodeKeys;
  /** Seals what must not stand in the database in plain text. */
  readonly cipher: Cipher;
  /** The operator's decisions, looked at before anybody goes by them. */
  readonly hooks: GuardedHooks;
  /** The operator's own fields of people. */
  readonly userFields: UserFields;
  /** How the providers are spoken to that people log in with. */
  readonly providers: Providers;
  /** The mails of a development machine; null where they are sent. */
  readonly outbox: Outbox | null;
  readonly stages: Stages;
  close(): Promise<void>;
}

/** What may be put in the place of the usual part: for embedding programs and for tests. */
export interface Parts {
  readonly clock?: () => Date;
  readonly stages?: Stages;
  readonly hooks?: Hooks;
  /** Beside those of POSTERN_PROVIDERS. */
  readonly providers?: readonly ProviderEntry[];
  /** The operator's own fields of people. Without it the indexes of earlier ones are left alone. */
  readonly userFields?: UserFieldDeclarations;
  readonly mailer?: Mailer;
  readonly listeners?: Listeners;
  /** Beside those of POSTERN_WEBHOOKS. */
  readonly webhooks?: readonly WebhookEntry[];
}

/**
 * Builds the app on a migrated database. This is the only place where its parts are made.
 * @throws Error with a message for the operator when the stored keys cannot be opened with the configured secrets
 */
export async function createApp(
  config: Config & { readonly databaseUrl: string },
  log: Logger,
  parts: Parts = {},
): Promise<App> {
  if (!config.loginIdentifiers.includes('EMAIL') && !parts.hooks?.sendSms) {
    throw new Error(
      'POSTERN_LOGIN_IDENTIFIERS has phone, but no hook sends text messages: nobody could sign up or log in.',
    );
  }
  const userFields = requireUserFields(parts.userFields);
  const closing = { now: false };
  // Of what breaks while it is being closed nobody needs to hear.
  const onError = (error: Error) => {
    if (!closing.now) log.warn({ err: error }, 'the connection to the database broke');
  };
  const database = openDatabase({ url: config.databaseUrl, connections: config.databaseConnections, onError });
  try {
    if (parts.userFields)
      await updateFieldIndexes(config.databaseUrl, userFields).then((done) => noteIndexes(log, done));
    return await buildOn(database, config, log, { ...parts, userFields }, { closing, onError });
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function buildOn(
  database: Database,
  config: Config & { readonly databaseUrl: string },
  log: Logger,
  parts: Omit<Parts, 'userFields'> & { readonly userFields: UserFields },
  { closing, onError }: { readonly closing: { now: boolean }; readonly onError: (error: Error) => void },
): Promise<App> {
  const clock = parts.clock ?? (() => new Date());
  const secrets = await secretsOf(config);
  const cipher = createCipher(secrets);
  const rotation = {
    algorithm: config.accessToken.algorithm,
    keyLifetime: config.accessToken.keyLifetime,
    tokenLifetime: config.accessToken.lifetime,
  };
  const rotateKeys = () => database.transaction((db) => signingKeys.rotate(db, cipher, rotation, clock()));
  await rotateKeys();
  const keys = await createKeyRing(async () => openKeys(await signingKeys.list(database), cipher));
  const accessTokens = createAccessTokens(keys, {
    issuer: config.publicUrl,
    audience: config.accessToken.audience,
    lifetime: config.accessToken.lifetime,
  });

  const sessions: SessionCache<RememberedSession> = createSessionCache({
    max: MAX_REMEMBERED_SESSIONS,
    isTrusted: () => bus.isLive(),
  });
  const reloadKeys = () => {
    keys
      .reload()
      .then((changed) => changed && accessTokens.forget())
      .catch((error: unknown) => log.error({ err: error }, 'cannot read the signing keys'));
  };
  const live = await openLive({ config, clock, database, log });
  const bus: Bus = await openBus({
    url: config.databaseUrl,
    onError,
    onChange(change: Change) {
      // What is remembered goes first: whoever is woken looks there.
      if (change.kind === 'session') sessions.dropSession(change.id);
      if (change.kind === 'user') sessions.dropUser(change.id);
      if (change.kind === 'unknown') sessions.dropAll();
      live.wake(change);
      if (change.kind === 'unknown' || change.kind === 'signing-keys') reloadKeys();
    },
  });
  live.start(bus.isLive);
  const keyTimer = setInterval(() => {
    rotateKeys().catch((error: unknown) => log.error({ err: error }, 'cannot rotate the signing keys'));
    // Once more, in case that an earlier reading failed.
    reloadKeys();
  }, KEY_ROTATION_CHECK_MS).unref();

  const passwords = createPasswords({
    ...hashingOf(config, secrets),
    ...(config.password.breachedUrl ? { isBreached: breachedPasswords(config.password.breachedUrl, log) } : {}),
  });
  const hits = createHitTeller({ database, clock, onError: onHitLost(log) });
  const limiter = await openLimiter(database, config, log, hits.tell);
  const hooks = guardHooks(parts.hooks ?? {}, log);
  const ownMailer = mailerOf(hooks, config) ?? parts.mailer;
  const outbox = ownMailer || config.mail.smtpUrl ? null : createOutbox({ dir: join(config.dataDir, 'outbox') });
  const mailer = ownMailer ?? outbox ?? createSmtpMailer({ url: config.mail.smtpUrl ?? '', from: config.mail.from });
  const listeners = listenersSubscriber(parts.listeners ?? {});
  const webhooks = config.webhooks.map((webhook) => webhookSubscriber(webhook, clock));
  const deliveries = await startDeliveries([...(listeners ? [listeners] : []), ...webhooks], { database, clock, log });
  const jobs: Jobs = await startJobs({
    url: config.databaseUrl,
    tasks: createTasks({ config, clock, database, cipher, hooks, mailer, log }),
    cron: CRON,
    log,
  });

  return {
    config,
    log,
    clock,
    database,
    passwords,
    limiter,
    bus,
    sessions,
    live,
    deliveries,
    keys,
    accessTokens,
    refreshKeys: keysOf(secrets, 'refresh token successor'),
    codeKeys: codeKeysOf(secrets),
    cipher,
    hooks,
    userFields: parts.userFields,
    providers: createProviders({ clock }),
    outbox,
    stages: parts.stages ?? stages,
    async close() {
      closing.now = true;
      clearInterval(keyTimer);
      // What runs may still need everything else.
      await Promise.all([jobs.close(), deliveries.close()]);
      await Promise.all([mailer.close(), passwords.close(), bus.close(), limiter.close(), hits.close(), live.close()]);
      await database.close();
    },
  };
}

function noteIndexes(log: Logger, { made, dropped }: FieldIndexes): void {
  if (made.length > 0 || dropped.length > 0)
    log.info({ made, dropped }, 'brought the indexes of userFields up to date');
}

async function openLimiter(
  database: Database,
  { rateLimits, redisUrl: url }: Pick<Config, 'rateLimits' | 'redisUrl'>,
  log: Logger,
  onHit: (hit: LimitHit) => void,
): Promise<Limiter> {
  const onError = (error: unknown) => log.warn({ err: error }, 'the counters of the rate limits cannot be written');
  const inPostgres = createPostgresCounters(database.relaxed, onError);
  if (!url) return createLimiter(inPostgres, rateLimits, onError, onHit);
  const counters = await openInsuredCounters({
    url,
    inPostgres,
    longestWindowMs: longestWindowOf(rateLimits),
    onLoss: (error) => log.warn({ err: error }, 'Redis is away: PostgreSQL counts for the rate limits'),
    onReturn: () => log.info('Redis is back, and counts for the rate limits'),
  });
  return createLimiter(counters, rateLimits, onError, onHit);
}

function onHitLost(log: Logger): (error: unknown) => void {
  return (error) => log.warn({ err: error }, 'that a limit was hit could not be written down');
}

/** What passwords are hashed with. */
export function hashingOf({ password }: Config, secrets: readonly string[]) {
  return { parameters: password.hash, peppers: deriveKeys(secrets, 'password pepper') };
}

/** The keys that hash what people type, of the configured secrets. */
export function codeKeysOf(secrets: readonly string[]): CodeKeys {
  return keysOf(secrets, 'code');
}

/** Sends mails by the operator's hook, if there is one. */
function mailerOf({ sendMail }: GuardedHooks, { mail: { from } }: Config): Mailer | null {
  if (!sendMail) return null;
  return { send: (mail) => sendMail({ ...mail, from }), close: async () => undefined };
}

function keysOf(secrets: readonly string[], purpose: string): readonly [Buffer, ...Buffer[]] {
  const [current, ...older] = deriveKeys(secrets, purpose).map(({ key }) => key);
  if (!current) throw new Error('no secret is configured');
  return [current, ...older];
}

function breachedPasswords(url: string, log: Logger): BreachedPasswords {
  const ask = createBreachedPasswords({ url });
  return async (password) => {
    const answer = await ask(password);
    if (answer === 'unknown')
      log.warn('the service of breached passwords does not answer; a password was not looked up');
    return answer;
  };
}

function openKeys(stored: readonly signingKeys.SigningKey[], cipher: Cipher): StoredKey[] {
  return stored.map((key) => ({ ...key, privateJwk: signingKeys.openKey(key, cipher) }));
}

/** The secrets that were configured, or the one of the data folder. */
export async function secretsOf(config: Config): Promise<readonly string[]> {
  return config.secrets.length > 0 ? config.secrets : [await developmentSecret(config.dataDir)];
}

/** The secret of a development machine: made once, kept in the data folder. Of two that make it, both use one. */
async function developmentSecret(dataDir: string): Promise<string> {
  const file = join(dataDir, 'secret');
  const draft = join(dataDir, `secret.${process.pid}`);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(draft, randomBytes(48).toString('base64url'), { mode: 0o600 });
  // A link appears whole or not at all, and not over an older one.
  await link(draft, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
  return (await readFile(file, 'utf8')).trim();
}
