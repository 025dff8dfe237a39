import { updateFieldIndexes } from '../infra/field-indexes.ts';
import { migrate as applyMigrations } from '../infra/migrate.ts';
import { requireUserFields } from '../lib/user-fields/read.ts';
import { loadOperatorConfig, readConfiguration } from '../operator-config.ts';
import { type Command, print } from './command.ts';
import { withDatabaseUrl } from './database.ts';

export const migrate: Command = {
  usage: 'postern migrate [--json]',
  summary: 'brings the database to the schema of this version, and to the indexes of userFields',
  options: { '--json': 'print what was applied as JSON' },
  run: async (given) => {
    const { userFields } = await loadOperatorConfig('.');
    const fields = userFields && requireUserFields(userFields);
    return withDatabaseUrl(await readConfiguration('.'), async (url) => {
      const applied = await applyMigrations(url, () => undefined);
      // Where nothing is said of fields, nobody said that there are none.
      const { made, dropped } = fields ? await updateFieldIndexes(url, fields) : { made: [], dropped: [] };
      const done = [
        ...applied.map((name) => `applied ${name}`),
        ...made.map((name) => `made the index ${name}`),
        ...dropped.map((name) => `dropped the index ${name}`),
      ];
      print(given, fields ? { applied, made, dropped } : { applied }, done.length > 0 ? done : ['nothing to do']);
      return undefined;
    });
  },
};
