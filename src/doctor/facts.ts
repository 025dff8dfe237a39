import type { Config, Environment, EnvironmentFile } from '../config.ts';
import { examineSettings } from '../config.ts';
import { factors, hasMfa } from '../factors/index.ts';
import type { Hooks } from '../hooks.ts';
import { type Database, openDatabase } from '../infra/database.ts';
import { LOCK_CLASS } from '../infra/jobs/presence.ts';
import { pendingMigrations } from '../infra/migrate.ts';
import type { ProviderEntry } from '../providers/settings.ts';
import * as diagnosis from '../records/diagnosis.ts';
import * as signingKeys from '../records/signing-keys.ts';
import { reasonOf } from './reason.ts';

/** What was read, or why it could not be. */
export type Reading<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'unknown'; readonly reason: string };

/** What the checks look at. */
export interface Facts {
  /** As far as the settings can be read, and with what they mean in production. */
  readonly config: Config;
  /** The settings as they are written. */
  readonly environment: Environment;
  /** What does not fit, a line each, beginning with the name of the setting. */
  readonly problems: readonly string[];
  readonly environmentFile: EnvironmentFile | null;
  readonly hooks: Hooks;
  /** Why the operator's file cannot be used; null if it can, or there is none. */
  readonly operatorProblem: string | null;
  readonly database: DatabaseFacts;
  readonly clock: () => Date;
  /** Where a mail is to be sent for a test; null for nowhere. */
  readonly testMailTo: string | null;
  /** The id of the secret of which somebody says that there is a copy elsewhere; null if nobody does. */
  readonly backedUp: string | null;
}

/** What the database tells, each thing by itself: some of it may be hidden from our role, or not be there yet. */
export interface DatabaseFacts {
  readonly server: Reading<diagnosis.Server>;
  /** By how much its clock is ahead of ours, in milliseconds. */
  readonly aheadMs: Reading<number>;
  readonly capacity: Reading<diagnosis.Capacity>;
  /** What a start would apply. */
  readonly pending: Reading<readonly string[]>;
  readonly administrators: Reading<diagnosis.Administrators>;
  readonly keptTokens: Reading<number>;
  readonly keyUses: Reading<readonly diagnosis.KeyUse[]>;
  readonly signingKeys: Reading<readonly signingKeys.SigningKey[]>;
}

/** What is to be looked at. */
export interface Subject {
  readonly environment: Environment;
  readonly environmentFile?: EnvironmentFile | null;
  /** What the operator says in code. */
  readonly operator?: { readonly hooks?: Hooks; readonly providers?: readonly ProviderEntry[] };
  readonly operatorProblem?: string | null;
  readonly clock?: () => Date;
  readonly testMailTo?: string | null;
  readonly backedUp?: string | null;
}

/** Reads everything that checks look at, but for what they ask of the network. Writes nothing. */
export async function gatherFacts(subject: Subject): Promise<Facts> {
  const { environment, operator = {}, clock = () => new Date() } = subject;
  const { config, problems } = examineSettings({ ...environment, NODE_ENV: 'production' }, operator);
  return {
    config,
    environment,
    problems,
    environmentFile: subject.environmentFile ?? null,
    hooks: operator.hooks ?? {},
    operatorProblem: subject.operatorProblem ?? null,
    database: config.databaseUrl
      ? await readDatabase(config.databaseUrl, config, clock)
      : nothing('there is no DATABASE_URL'),
    clock,
    testMailTo: subject.testMailTo ?? null,
    backedUp: subject.backedUp ?? null,
  };
}

async function readDatabase(
  url: string,
  { adminRoles }: Pick<Config, 'adminRoles'>,
  clock: () => Date,
): Promise<DatabaseFacts> {
  const database = openDatabase({ url, connections: 2, onError: () => undefined });
  try {
    const server = await read(() => diagnosis.serverOf(database).then(present));
    // Without it, everything else would wait for the same refusal.
    if (server.kind === 'unknown') return nothing(server.reason);
    return {
      server,
      aheadMs: await read(() => aheadOf(database, clock)),
      capacity: await read(() => diagnosis.capacityOf(database, LOCK_CLASS)),
      pending: await read(() => pendingMigrations(url)),
      administrators: await read(() =>
        diagnosis.administrators(database, {
          roles: adminRoles,
          factors: Object.keys(factors).filter((name) => hasMfa([name])),
        }),
      ),
      keptTokens: await read(() => diagnosis.keptTokens(database)),
      keyUses: await read(() => diagnosis.keyUses(database)),
      signingKeys: await read(() => signingKeys.list(database)),
    };
  } finally {
    await database.close();
  }
}

/** The answer took some time; its middle is when it was given. */
async function aheadOf(database: Database, clock: () => Date): Promise<number> {
  const begun = clock().getTime();
  const theirs = (await diagnosis.timeOf(database)).getTime();
  return theirs - (begun + clock().getTime()) / 2;
}

async function read<T>(work: () => Promise<T>): Promise<Reading<T>> {
  try {
    return { kind: 'read', value: await work() };
  } catch (error) {
    return { kind: 'unknown', reason: reasonOf(error) };
  }
}

function present<T>(value: T | null): T {
  if (value === null) throw new Error('the database does not know its own role');
  return value;
}

function nothing(reason: string): DatabaseFacts {
  const unknown = { kind: 'unknown', reason } as const;
  return {
    server: unknown,
    aheadMs: unknown,
    capacity: unknown,
    pending: unknown,
    administrators: unknown,
    keptTokens: unknown,
    keyUses: unknown,
    signingKeys: unknown,
  };
}
