import { readCursor, writeCursor } from '../../lib/page-cursor.ts';
import { idOf } from '../../operator.ts';
import type { Account } from '../../records/accounts.ts';
import * as accounts from '../../records/accounts.ts';
import * as authenticators from '../../records/authenticators.ts';
import * as emails from '../../records/emails.ts';
import * as events from '../../records/events.ts';
import * as sessions from '../../records/sessions.ts';
import * as connections from '../../records/social-connections.ts';
import { type Given, print, table, UsageError } from '../command.ts';
import { withExistingDatabase } from '../database.ts';

const SHOWN = 20;
const EVENTS_SHOWN = 20;

/** Prints a page of accounts. */
export function listUsers(given: Given): Promise<undefined> {
  const { search = '', role = null, first = String(SHOWN), after } = given.values;
  if (!/^[1-9]\d{0,3}$/.test(first)) throw new UsageError(`${first} is no number of accounts`);
  const place = after === undefined ? null : readCursor(after);
  if (after !== undefined && !place) throw new UsageError(`${after} is no place in a list`);
  const filter = { role, disabled: given.flags.has('disabled') ? true : null };
  return withExistingDatabase(async (database) => {
    const page = { after: place, limit: Number(first) + 1 };
    const text = search.normalize('NFKC').trim().toLowerCase();
    const found = await (text === ''
      ? accounts.list(database, filter, page)
      : accounts.search(database, text, filter, page));
    const users = found.slice(0, Number(first));
    const last = users.at(-1);
    const next = found.length > users.length && last ? writeCursor(last) : null;
    const rows = table(users.map((user) => [user.id, user.email ?? user.username ?? user.phone ?? '', stateOf(user)]));
    const data = { users: users.map(({ key: _place, ...user }) => user), next };
    print(given, data, [...rows, ...(next ? [`more: --after ${next}`] : [])]);
    return undefined;
  });
}

/** Prints all there is of one account. */
export function showUser(given: Given, who: string): Promise<undefined> {
  return withExistingDatabase(async (database, { session }) => {
    const id = await idOf(database, who);
    const account = id === null ? null : await accounts.find(database, id);
    if (!account) throw new Error(`There is nobody ${who}.`);
    const [addresses, live, held, connected, trail] = await Promise.all([
      emails.list(database, account.id),
      sessions.listLive(database, account.id, session.idle, new Date()),
      authenticators.list(database, account.id),
      connections.list(database, account.id),
      events.listBefore(database, account.id, null, EVENTS_SHOWN),
    ]);
    const data = {
      ...account,
      emails: addresses.map(({ address, isPrimary, verified }) => ({ address, isPrimary, verified })),
      sessions: live.map(({ id: sessionId, createdAt, lastSeenAt, ipAddress, userAgent }) => ({
        id: sessionId,
        createdAt,
        lastSeenAt,
        ipAddress,
        userAgent,
      })),
      authenticators: held.map(({ kind, name, createdAt, lastUsedAt }) => ({ kind, name, createdAt, lastUsedAt })),
      connections: connected.map(({ provider, displayName }) => ({ provider, displayName })),
      events: trail.map((event) => ({ ...event, id: String(event.id) })),
    };
    print(given, data, [
      `${account.id}  ${stateOf(account)}`,
      ...addresses.map(({ address, verified }) => `address  ${address}${verified ? '' : ' (not verified)'}`),
      ...(account.username ? [`username ${account.username}`] : []),
      ...(account.phone ? [`number   ${account.phone}`] : []),
      ...held.map(({ kind, name }) => `factor   ${kind}${name ? ` ${name}` : ''}`),
      ...connected.map(({ provider, displayName }) => `provider ${provider} ${displayName}`),
      ...live.map(({ createdAt, ipAddress }) => `session  since ${createdAt.toISOString()} from ${ipAddress}`),
      ...trail.map(({ at, kind }) => `event    ${at.toISOString()} ${kind}`),
    ]);
    return undefined;
  });
}

function stateOf({ roles, disabledAt, hasPassword, factors }: Account): string {
  const facts = [
    ...(disabledAt ? ['disabled'] : []),
    ...(roles.length > 0 ? [`roles ${roles.join(', ')}`] : []),
    ...(hasPassword ? [] : ['no password']),
    ...(factors.length > 0 ? [`factors ${factors.join(', ')}`] : []),
  ];
  return facts.join('; ');
}
