import type { App } from '../app.ts';
import type { StoredEvent } from '../records/events.ts';
import * as events from '../records/events.ts';
import type { User } from '../records/users.ts';

/** A part of the audit trail of a person, the newest first. */
export interface SecurityEvents {
  readonly kind: 'SecurityEvents';
  readonly nodes: readonly StoredEvent[];
  readonly hasNextPage: boolean;
}

/** A page of no size that may be asked for. */
export interface InvalidPageSize {
  readonly kind: 'InvalidPageSize';
}

/** A page after what is no event of this person. */
export interface InvalidCursor {
  readonly kind: 'InvalidCursor';
}

/** The longest page. */
export const MAX_PAGE = 100;

/**
 * What happened to a person's account, as they may see it.
 * @param page `first`: how many, 1 to 100; `after`: the id of the last one of the page before, null for the first page
 */
export async function listSecurityEvents(
  app: App,
  { id }: Pick<User, 'id'>,
  { first, after }: { readonly first: number; readonly after: string | null },
): Promise<SecurityEvents | InvalidPageSize | InvalidCursor> {
  const cursor = after === null ? null : events.parseId(after);
  if (first < 1 || first > MAX_PAGE) return { kind: 'InvalidPageSize' };
  if (after !== null && (cursor === null || !(await events.isOf(app.database, id, cursor))))
    return { kind: 'InvalidCursor' };
  const found = await events.listBefore(app.database, id, cursor, first + 1);
  return { kind: 'SecurityEvents', nodes: found.slice(0, first), hasNextPage: found.length > first };
}
