import type { Database } from '../infra/database.ts';
import * as deliveries from '../records/event-deliveries.ts';
import * as subscribers from '../records/event-subscribers.ts';
import { parseId } from '../records/events.ts';
import { type Command, type Given, JSON_OPTION, print, table, UsageError } from './command.ts';
import { withExistingDatabase } from './database.ts';

export const webhooks: Command = {
  usage: 'postern webhooks list|deliveries|replay [--endpoint ID] [--state STATE] [--id EVENT|--failed|--after EVENT]',
  summary: 'lists those who are told of events and what became of it, and tells them once more, under the same ids',
  options: {
    '--endpoint ID': 'deliveries, replay: of this webhook; the operator’s code is called listeners',
    '--state STATE': 'deliveries: pending, delivered, failed, or skipped for what there was nothing to tell of',
    '--limit NUMBER': 'deliveries: how many, the newest first (100)',
    '--id EVENT': 'replay: this event',
    '--failed': 'replay: all that was given up',
    '--after EVENT': 'replay: all after this event, or 0, also what came before the webhook was there',
    ...JSON_OPTION,
  },
  words: 1,
  run: (given) => {
    const act = actionOf(given);
    return withExistingDatabase(async (database) => {
      await act(database);
      return undefined;
    });
  },
};

type Action = (database: Database) => Promise<void>;

const TAKES: Readonly<Record<string, readonly string[]>> = {
  list: [],
  deliveries: ['endpoint', 'state', 'limit'],
  replay: ['endpoint', 'id', 'failed', 'after'],
};

// What cannot be understood is told before a database is opened.
function actionOf(given: Given): Action {
  const [action = ''] = given.words;
  const takes = Object.hasOwn(TAKES, action) ? TAKES[action] : undefined;
  if (!takes) throw new UsageError('say what to do: list, deliveries, or replay');
  const unfit = [...given.flags, ...Object.keys(given.values)].find((name) => name !== 'json' && !takes.includes(name));
  if (unfit !== undefined) throw new UsageError(`--${unfit} is not for ${action}`);
  if (action === 'list') return (database) => list(database, given);
  return action === 'deliveries' ? logOf(given) : replayOf(given);
}

async function list(database: Database, given: Given): Promise<void> {
  const all = await subscribers.list(database);
  const rows = all.map(({ id, kinds, pending, failed, goneAt, pausedUntil, lastDeliveredAt }) => [
    id,
    stateOf({ goneAt, pausedUntil }),
    `${pending} pending`,
    `${failed} failed`,
    `last ${lastDeliveredAt?.toISOString() ?? 'never'}`,
    kinds.join(','),
  ]);
  print(given, all, all.length > 0 ? table(rows) : ['Nobody is told of events.']);
}

function stateOf({ goneAt, pausedUntil }: Pick<subscribers.StoredSubscriber, 'goneAt' | 'pausedUntil'>): string {
  if (goneAt) return `gone since ${goneAt.toISOString()}`;
  return pausedUntil && pausedUntil > new Date() ? `paused until ${pausedUntil.toISOString()}` : 'on';
}

const MAX_LIMIT = 10_000;

function logOf(given: Given): Action {
  const { endpoint = null, state, limit = '100' } = given.values;
  const known = deliveries.DELIVERY_STATES.find((each) => each === state?.toUpperCase()) ?? null;
  if (state !== undefined && known === null)
    throw new UsageError(`${state} is no state; there are ${deliveries.DELIVERY_STATES.join(', ').toLowerCase()}`);
  if (!/^[1-9]\d{0,4}$/.test(limit) || Number(limit) > MAX_LIMIT)
    throw new UsageError(`${limit} is no number from 1 to ${MAX_LIMIT}`);
  return async (database) => {
    if (endpoint !== null) await mustExist(database, endpoint);
    const log = await deliveries.list(database, { subscriber: endpoint, state: known, limit: Number(limit) });
    const rows = log.map((each) => [
      each.id,
      each.at.toISOString(),
      each.subscriber,
      each.kind,
      each.state.toLowerCase(),
      `${each.attempts} tries`,
      String(each.lastStatus ?? '-'),
      each.lastError ?? '-',
      each.state === 'PENDING' ? `next ${each.nextAt.toISOString()}` : '',
    ]);
    print(given, log, log.length > 0 ? table(rows) : ['There are no such deliveries.']);
  };
}

function replayOf(given: Given): Action {
  const { endpoint } = given.values;
  if (endpoint === undefined) throw new UsageError('say to whom: --endpoint ID');
  const asked = replayAsked(given);
  return async (database) => {
    await mustExist(database, endpoint);
    const replayed = await deliveries.replay(database, endpoint, asked, new Date());
    await subscribers.revive(database, endpoint);
    const events = `${replayed} event${replayed === 1 ? '' : 's'}`;
    print(given, { endpoint, replayed }, [`${endpoint} is told of ${events} once more, by the gateways that run`]);
  };
}

function replayAsked({ values: { id, after }, flags }: Given): deliveries.Replay {
  const failed = flags.has('failed');
  if ([id !== undefined, after !== undefined, failed].filter(Boolean).length !== 1)
    throw new UsageError('say what: --id EVENT, --failed, or --after EVENT');
  if (failed) return { kind: 'failed' };
  const written = id ?? after ?? '';
  const parsed = after === '0' ? 0n : parseId(written.replace(/^evt_/, ''));
  if (parsed === null) throw new UsageError(`${written} is no id of an event`);
  return { kind: id === undefined ? 'after' : 'one', id: parsed };
}

async function mustExist(database: Database, endpoint: string): Promise<void> {
  const known = (await subscribers.list(database)).map(({ id }) => id);
  if (!known.includes(endpoint))
    throw new Error(
      `Nobody is called ${endpoint}; there ${known.length > 0 ? `are ${known.join(', ')}` : 'is nobody'}.`,
    );
}
