/** Writes the migration that leads from prisma/migrations to prisma/schema.prisma: `npm run migration NAME`. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startEmbeddedDatabase } from '../src/infra/embedded.ts';
import { diffMigrations } from '../src/infra/migrate.ts';

const migrations = fileURLToPath(new URL('../prisma/migrations', import.meta.url));
const say = (line: string) => process.stdout.write(`${line}\n`);

const [name, ...more] = process.argv.slice(2);
if (!name || more.length > 0 || !/^[a-z][a-z0-9_]*$/.test(name)) {
  process.stderr.write('Usage: npm run migration NAME\nNAME is lower case letters, digits and _, e.g. add_phones\n');
  process.exit(1);
}

const sql = await findDifference();
if (sql === '') say('Nothing to do: the migrations agree with prisma/schema.prisma.');
else say(`Wrote ${await writeMigration(name, sql)}. Read it before you commit it.`);

async function findDifference(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'postern-migration-'));
  try {
    const database = await startEmbeddedDatabase({ dataDir, log: () => undefined });
    return await diffMigrations(database.url).finally(() => database.stop());
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function writeMigration(name: string, sql: string): Promise<string> {
  const timestamp = new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14);
  const folder = join(migrations, `${timestamp}_${name}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'migration.sql'), sql);
  await writeLockFile();
  return join(folder, 'migration.sql');
}

async function writeLockFile(): Promise<void> {
  const text = '# Prisma reads here which kind of database the migrations are for.\nprovider = "postgresql"\n';
  await writeFile(join(migrations, 'migration_lock.toml'), text, { flag: 'wx' }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
}
