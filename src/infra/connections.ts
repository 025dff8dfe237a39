/** What is open, as far as its registry cares. */
export interface Open {
  /** Whom it belongs to. */
  readonly userId: string;
  readonly sessionId: string;
  /** When it has to be looked at even if nobody tells of a change. */
  deadline(): Date;
  /** Looks again who is behind it. */
  check(): Promise<void>;
}

/** Everything that is open on this instance: sockets and event streams. */
export interface Connections {
  /** @returns takes it out again */
  add(open: Open): () => void;
  /** A session or a person changed. */
  wake(id: string): void;
  /** Anything may have changed. */
  wakeAll(): void;
  /** Looks at those whose time has come. */
  tick(now: Date): void;
  readonly size: number;
}

/** When all are to be looked at, so many are at once: requests that come meanwhile must not wait for all of them. */
const AT_ONCE = 8;

export function createConnections(onError: (error: unknown) => void): Connections {
  const all = new Set<Open>();
  const byId = new Map<string, Set<Open>>();
  let looking = false;
  let again = false;

  const look = (open: Open) => open.check().catch(onError);

  async function lookAtAll(): Promise<void> {
    looking = true;
    while (again) {
      again = false;
      const due = all.values();
      const worker = async () => {
        for (const open of due) await look(open);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
    }
    looking = false;
  }

  return {
    add(open) {
      const ids = [open.userId, open.sessionId];
      all.add(open);
      for (const id of ids) byId.set(id, (byId.get(id) ?? new Set()).add(open));
      return () => {
        all.delete(open);
        for (const id of ids) {
          const those = byId.get(id);
          those?.delete(open);
          if (those?.size === 0) byId.delete(id);
        }
      };
    },
    wake(id) {
      for (const open of byId.get(id) ?? []) look(open);
    },
    wakeAll() {
      again = true;
      if (!looking) lookAtAll();
    },
    tick(now) {
      for (const open of all) if (open.deadline() <= now) look(open);
    },
    get size() {
      return all.size;
    },
  };
}
