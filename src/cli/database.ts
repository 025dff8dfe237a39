import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { codeKeysOf, secretsOf } from '../app.ts';
import type { Config } from '../config.ts';
import { type Database, openDatabase } from '../infra/database.ts';
import { DataDirTaken, startEmbeddedDatabase } from '../infra/embedded.ts';
import { migrate } from '../infra/migrate.ts';
import { createCipher } from '../lib/cipher.ts';
import type { OperatorParts } from '../operator.ts';
import { readConfiguration } from '../operator-config.ts';

/** Hands over the URL of the configured database, or of the embedded one, which runs for the work. */
export async function withDatabaseUrl<R>(config: Config, work: (url: string) => Promise<R>): Promise<R> {
  if (config.databaseUrl) return work(config.databaseUrl);
  const embedded = await startEmbeddedDatabase({ dataDir: config.dataDir, log: () => undefined }).catch((error) => {
    if (!(error instanceof DataDirTaken)) throw error;
    throw new Error(`A gateway is running on ${config.dataDir}. Stop it first, or use a DATABASE_URL for both.`);
  });
  try {
    return await work(embedded.url);
  } finally {
    await embedded.stop();
  }
}

/** Opens the database, which is made and brought up to date if need be. */
export async function withDatabase<R>(work: (config: Config, database: Database) => Promise<R>): Promise<R> {
  const config = await readConfiguration('.');
  return withDatabaseUrl(config, async (url) => {
    await migrate(url, () => undefined);
    const database = openDatabase({ url, connections: 2, onError: () => undefined });
    try {
      return await work(config, database);
    } finally {
      await database.close();
    }
  });
}

/** Hands over what acts on accounts work with. */
export async function operatorPartsOf(config: Config, database: Database): Promise<OperatorParts> {
  const secrets = await secretsOf(config);
  return { config, database, cipher: createCipher(secrets), codeKeys: codeKeysOf(secrets) };
}

/** For what is no use on a database that is only made for it. */
export async function withExistingDatabase<R>(work: (database: Database, config: Config) => Promise<R>): Promise<R> {
  const { databaseUrl, dataDir } = await readConfiguration('.');
  if (!databaseUrl && !existsSync(join(dataDir, 'postgres', 'PG_VERSION')))
    throw new Error(`There is no database in ${dataDir}. Set DATABASE_URL, or POSTERN_DATA_DIR.`);
  return withDatabase((config, database) => work(database, config));
}
