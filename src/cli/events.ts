import { once } from 'node:events';
import type { Database } from '../infra/database.ts';
import { parseEmailAddress } from '../lib/email-address.ts';
import { isUuid } from '../lib/uuid.ts';
import { idOf } from '../operator.ts';
import * as trail from '../records/events.ts';
import { type Command, UsageError } from './command.ts';
import { withExistingDatabase } from './database.ts';

export const events: Command = {
  usage: 'postern events export [--after ID] [--user WHO]',
  summary: 'prints the audit trail, an event a line as JSON (newline-delimited), the oldest first',
  options: {
    '--after ID': 'only what came after this event',
    '--user WHO': 'only what is about this person, by an id or an address',
  },
  words: 1,
  run: ({ words: [action], values: { after = '0', user = null } }) => {
    if (action !== 'export') throw new UsageError('say what to do with the events: export');
    const from = after === '0' ? 0n : trail.parseId(after);
    if (from === null) throw new UsageError(`${after} is no id of an event`);
    if (user !== null && !isUuid(user) && !parseEmailAddress(user))
      throw new UsageError(`${user} is neither an id nor an address`);
    return withExistingDatabase(async (database) => {
      const userId = user && (await idOf(database, user));
      // Without this, an address of nobody would export everybody.
      if (user !== null && userId === null) throw new Error(`There is nobody ${user}.`);
      await exportEvents(database, from, userId);
      return undefined;
    });
  },
};

const EXPORTED_AT_ONCE = 1_000;

async function exportEvents(database: Database, from: bigint, userId: string | null): Promise<void> {
  for (let after = from, more = true; more; ) {
    const page = await trail.listAll(database, { after, userId, limit: EXPORTED_AT_ONCE });
    const lines = page.map((event) => `${JSON.stringify({ ...event, id: String(event.id) })}\n`).join('');
    // A reader that is slow is waited for, so that a long trail does not gather here.
    if (!process.stdout.write(lines)) await once(process.stdout, 'drain');
    after = page.at(-1)?.id ?? after;
    more = page.length === EXPORTED_AT_ONCE;
  }
}
