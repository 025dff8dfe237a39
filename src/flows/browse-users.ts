import type { App } from '../app.ts';
import { instantOf, type Place, readCursor, writeCursor } from '../lib/page-cursor.ts';
import { isRole } from '../lib/roles.ts';
import type { Account } from '../records/accounts.ts';
import * as accounts from '../records/accounts.ts';
import type { Invitation } from '../records/invitations.ts';
import * as invitations from '../records/invitations.ts';
import { type Administrator, limitLookUps } from './shared/administrator.ts';
import type { NotFound, RateLimited } from './shared/outcomes.ts';

/** The longest page. */
export const MAX_PAGE = 100;
/** Letters of a search; no address is longer. */
const MAX_SEARCH = 254;

/** A page of accounts. */
export interface Accounts {
  readonly kind: 'AccountConnection';
  readonly nodes: readonly Account[];
  /** Where the next page begins; null if this one is empty. */
  readonly endCursor: string | null;
  readonly hasNextPage: boolean;
}

/** A page of open invitations. */
export interface Invitations extends Omit<Accounts, 'kind' | 'nodes'> {
  readonly kind: 'InvitationConnection';
  readonly nodes: readonly Invitation[];
}

/** One person, of whom the doors look up what they are asked for. */
export interface AccountDetails {
  readonly kind: 'AccountDetails';
  readonly account: Account;
}

/** A page of no size that may be asked for, or after what is no place in a list. */
export interface InvalidPage {
  readonly kind: 'InvalidPageSize' | 'InvalidCursor';
}

/** How much of a list is asked for. */
export interface Page {
  readonly first: number;
  readonly after: string | null;
}

/**
 * Lists accounts: the newest first; or those by which an address, a number, a user name or a name begins with `search`, in
 * the order of the alphabet. A page begins after a place, not a number of rows, so none is missed or told twice because
 * others came.
 */
export async function listUsers(
  app: App,
  viewer: Administrator,
  { search, ...filter }: accounts.AccountFilter & { readonly search: string | null },
  page: Page,
): Promise<Accounts | InvalidPage | RateLimited> {
  const text = search === null ? '' : folded(search);
  const after = placeAfter(page, (place) => text !== '' || instantOf(place) !== null);
  if (after && 'kind' in after) return after;
  const limited = await limitLookUps(app, viewer);
  if (limited) return limited;
  const { database } = app;
  const { first } = page;
  if (filter.role !== null && !isRole(filter.role))
    return { kind: 'AccountConnection', nodes: [], endCursor: null, hasNextPage: false };
  const asked = { after, limit: first + 1 };
  const found =
    text === '' ? await accounts.list(database, filter, asked) : await accounts.search(database, text, filter, asked);
  const nodes = found.slice(0, first);
  const last = nodes.at(-1);
  const endCursor = last ? writeCursor(last) : null;
  return { kind: 'AccountConnection', nodes, endCursor, hasNextPage: found.length > first };
}

/** One account. */
export async function readUser(
  app: App,
  viewer: Administrator,
  { id }: { readonly id: string },
): Promise<AccountDetails | NotFound | RateLimited> {
  const limited = await limitLookUps(app, viewer);
  if (limited) return limited;
  const account = await accounts.find(app.database, id);
  return account ? { kind: 'AccountDetails', account } : { kind: 'NotFound' };
}

/** The invitations that somebody may still accept, the newest first. */
export async function listInvitations(
  app: App,
  viewer: Administrator,
  page: Page,
): Promise<Invitations | InvalidPage | RateLimited> {
  const after = placeAfter(page, (place) => instantOf(place) !== null);
  if (after && 'kind' in after) return after;
  const limited = await limitLookUps(app, viewer);
  if (limited) return limited;
  const { first } = page;
  const before = after && { createdAt: instantOf(after) ?? new Date(0), id: after.id };
  const found = await invitations.listOpen(app.database, { before, limit: first + 1 }, app.clock());
  const nodes = found.slice(0, first);
  const last = nodes.at(-1);
  const endCursor = last ? writeCursor({ key: String(last.createdAt.getTime()), id: last.id }) : null;
  return { kind: 'InvitationConnection', nodes, endCursor, hasNextPage: found.length > first };
}

function placeAfter({ first, after }: Page, fits: (place: Place) => boolean): Place | null | InvalidPage {
  if (first < 1 || first > MAX_PAGE) return { kind: 'InvalidPageSize' };
  const place = after === null ? null : readCursor(after);
  return after !== null && (!place || !fits(place)) ? { kind: 'InvalidCursor' } : place;
}

/** As addresses, user names and names are compared; a number without what people put between its digits. */
function folded(search: string): string {
  const text = search.slice(0, MAX_SEARCH).normalize('NFKC').trim().toLowerCase().toWellFormed().replaceAll('\0', '');
  return /^\+[\d ().-]+$/.test(text) ? text.replace(/[ ().-]/g, '') : text;
}
