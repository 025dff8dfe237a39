import { secretsOf } from '../app.ts';
import type { Config } from '../config.ts';
import type { Database } from '../infra/database.ts';
import { createCipher } from '../lib/cipher.ts';
import * as signingKeys from '../records/signing-keys.ts';
import { type Command, type Given, print, table, UsageError } from './command.ts';
import { withDatabase } from './database.ts';

export const keys: Command = {
  usage: 'postern keys list|rotate [--now] [--json]',
  summary: 'shows the keys that sign access tokens, or makes the next one',
  options: {
    '--now':
      'rotate: for a key that has leaked. The new one signs at once and all others go: their tokens are refused here at once, elsewhere as soon as the keys are fetched anew',
    '--json': 'print the keys as JSON',
  },
  words: 1,
  run: (given) => {
    const [action] = given.words;
    if (action !== 'list' && action !== 'rotate') throw new UsageError('say what to do with the keys: list or rotate');
    return withDatabase(async (config, database) => {
      if (action === 'rotate') await rotate(config, database, given.flags.has('now') ? 'now' : 'soon');
      await list(database, given);
      return undefined;
    });
  },
};

async function rotate(config: Config, database: Database, force: 'soon' | 'now'): Promise<void> {
  const cipher = createCipher(await secretsOf(config));
  const { algorithm, keyLifetime, lifetime } = config.accessToken;
  const policy = { algorithm, keyLifetime, tokenLifetime: lifetime };
  await database.transaction((db) => signingKeys.rotate(db, cipher, policy, new Date(), force));
}

async function list(database: Database, given: Given): Promise<void> {
  const stored = await signingKeys.list(database);
  const current = stored.findLast(({ signsAt }) => signsAt <= new Date());
  const rows = stored.map(({ kid, algorithm, createdAt, signsAt }) => ({
    kid,
    algorithm,
    state: kid === current?.kid ? 'signs' : signsAt > new Date() ? 'next' : 'retiring',
    createdAt: createdAt.toISOString(),
    signsAt: signsAt.toISOString(),
  }));
  const lines = table(rows.map(({ kid, algorithm, state, signsAt }) => [kid, algorithm, state, `from ${signsAt}`]));
  print(given, rows, lines.length > 0 ? lines : ['there are no keys yet; the first start makes one']);
}
