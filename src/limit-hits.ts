import type { LimitHit } from './app.ts';
import type { Db } from './infra/database.ts';
import { isUuid } from './lib/uuid.ts';
import * as events from './records/events.ts';

/** Writes down that limits were hit. */
export interface HitTeller {
  /** Nobody waits for it: an attempt that is refused is refused at once. */
  tell(hit: LimitHit): void;
  /** Waits for what is being written. */
  close(): Promise<void>;
}

/** Makes the one that turns the first refusal in the window of a limit into an event, whichever instance it was. */
export function createHitTeller({
  database,
  clock,
  onError,
}: {
  readonly database: { readonly relaxed: Db };
  readonly clock: () => Date;
  readonly onError: (error: unknown) => void;
}): HitTeller {
  const writing = new Set<Promise<void>>();

  async function write({ count: { limit, key, about }, ...counter }: LimitHit): Promise<void> {
    const userId = about ? await about.owner() : ofPerson(limit, key);
    const ipAddress = about?.ipAddress ?? (limit.endsWith('PerAddress') ? key : null);
    const source = { ipAddress, userAgent: null };
    await events.appendLimitHit(database.relaxed, { userId, limit }, source, clock(), counter);
  }

  return {
    tell(hit) {
      const written = write(hit)
        .catch(onError)
        .finally(() => writing.delete(written));
      writing.add(written);
    },
    async close() {
      await Promise.all(writing);
    },
  };
}

// The keys of these are ids of people.
function ofPerson(limit: LimitHit['count']['limit'], key: string): string | null {
  return limit.endsWith('PerAccount') && isUuid(key) ? key : null;
}
