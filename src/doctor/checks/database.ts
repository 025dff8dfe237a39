import { JOB_CONNECTIONS } from '../../infra/jobs.ts';
import { type Check, failed, judge, ok, skipped, warning } from '../check.ts';

const OLDEST_VERSION = 14;

export const database: Check = {
  title: 'the database can be reached, and is a PostgreSQL that is maintained',
  settings: ['DATABASE_URL'],
  run({ database: { server } }) {
    if (server.kind === 'unknown') return failed(`it cannot be reached: ${server.reason}`, 'DATABASE_URL');
    const version = Math.floor(server.value.version / 10_000);
    return version < OLDEST_VERSION
      ? failed(`PostgreSQL ${version} is too old: ${OLDEST_VERSION} is the oldest`, 'DATABASE_URL')
      : ok(`it is PostgreSQL ${version}`);
  },
};

export const databaseRole: Check = {
  title: 'the gateway’s role in the database may use the tables, and no more',
  settings: [],
  run: ({ database: { server } }) =>
    judge(server, ({ role, superuser, privileged, changesTables }) => {
      if (superuser)
        return failed(
          `${role} is a superuser, who may run programs on the machine of the database`,
          'DATABASE_URL: a role of its own',
        );
      if (privileged)
        return warning(`${role} may make databases or roles, replicate, or pass row security by`, `ALTER ROLE ${role}`);
      return changesTables
        ? warning(
            `${role} may change or drop the tables: let another role run \`postern migrate\``,
            'DATABASE_URL: a role that only reads and writes them',
          )
        : ok(`${role} reads and writes the tables of another role`);
    }),
};

export const databaseTls: Check = {
  title: 'what goes to the database is encrypted, and goes to the right one',
  settings: [],
  run: ({ database: { server }, config: { databaseUrl } }) =>
    judge(server, ({ encrypted, network }) => {
      const mend = 'DATABASE_URL=…?sslmode=verify-full';
      if (!encrypted && network === 'local') return ok('it stays on this machine');
      if (!encrypted && network === 'private')
        return warning('what goes there can be read by others in its private network', mend);
      if (!encrypted) return failed('what goes there can be read on the way', mend);
      return /sslmode=no-verify|uselibpqcompat=true/.test(databaseUrl ?? '')
        ? warning('it is encrypted, but whoever answers is taken for the database', mend)
        : ok('it is encrypted, and the certificate is checked');
    }),
};

export const databaseMigrations: Check = {
  title: 'the tables are those of this version',
  settings: [],
  run({ database: { server, pending } }) {
    if (server.kind === 'unknown') return skipped(server.reason);
    if (pending.kind === 'unknown') return failed(pending.reason, 'postern migrate');
    return pending.value.length > 0
      ? failed(`the next start has to apply ${pending.value.join(', ')}`, 'postern migrate')
      : ok('nothing is left to apply');
  },
};

/** Beside the pool: one listens for changes. */
const LISTENING = 1;

export const databaseConnections: Check = {
  title: 'there are connections to the database for every instance, and one instance more',
  settings: ['POSTERN_DATABASE_CONNECTIONS'],
  run: ({ config, database: { capacity } }) =>
    judge(capacity, ({ allowed, instances }) => {
      const each = config.databaseConnections + LISTENING + JOB_CONNECTIONS;
      const room = Math.floor(allowed / each);
      const told = `${allowed} connections are allowed, an instance takes up to ${each}, and ${instances} run now`;
      const mend = 'max_connections of PostgreSQL, or POSTERN_DATABASE_CONNECTIONS';
      if (room < Math.max(instances, 1)) return failed(told, mend);
      return room > instances ? ok(told) : warning(`${told}: a new one could not start beside them`, mend);
    }),
};
