/** Tells every instance of whose events there are new ones. A hint that is lost delays them, and no more. */
export interface FanOut {
  /** Tells all instances, this one too, within some milliseconds. Never fails: a hint that cannot be sent is lost. */
  publish(userIds: readonly string[]): void;
  close(): Promise<void>;
}

/** Those of one moment travel together. */
const GATHER_MS = 5;

/**
 * Gathers the hints of one moment.
 * @param send sends them; whether anybody gets them is its own affair
 */
export function gatherHints(send: (userIds: readonly string[]) => Promise<void>): {
  add(userIds: readonly string[]): void;
  /** Sends what is gathered now. */
  flush(): Promise<void>;
} {
  let gathered = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (gathered.size === 0) return;
    const userIds = [...gathered];
    gathered = new Set();
    await send(userIds);
  }

  return {
    add(userIds) {
      for (const userId of userIds) gathered.add(userId);
      if (gathered.size > 0) timer ??= setTimeout(() => void flush(), GATHER_MS).unref();
    },
    flush,
  };
}
