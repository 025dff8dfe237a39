import { loadConfig, readEnvironment } from '../config.ts';
import { migrate as applyMigrations } from '../infra/migrate.ts';
import { type Command, print } from './command.ts';
import { withDatabaseUrl } from './database.ts';

export const migrate: Command = {
  usage: 'postern migrate [--json]',
  summary: 'brings the database to the schema of this version',
  options: { '--json': 'print what was applied as JSON' },
  run: (given) =>
    withDatabaseUrl(loadConfig(readEnvironment()), async (url) => {
      const applied = await applyMigrations(url, () => undefined);
      print(given, { applied }, applied.length > 0 ? applied.map((name) => `applied ${name}`) : ['nothing to do']);
      return undefined;
    }),
};
