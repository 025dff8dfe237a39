import { LRUCache } from 'lru-cache';

/** What the cache needs to know of an entry. */
interface Entry {
  readonly session: { readonly id: string; readonly userId: string };
}

/** Stands among ids for all of them. */
const EVERYBODY = '*';

/** Remembers who is recognised by which token, as long as changes are heard. */
export interface SessionCache<E extends Entry> {
  /** The remembered entry of a key, or the loaded one; null is never remembered. */
  get(key: string, load: () => Promise<E | null>): Promise<E | null>;
  dropSession(id: string): void;
  dropUser(id: string): void;
  dropAll(): void;
  readonly size: number;
}

/**
 * A cache by key (a token's hash or a session's id) whose entries are dropped by session or person.
 *
 * An entry that was read before a change of it, and arrives after that, is handed out once and not remembered: each read
 * keeps a list of what was dropped since it began.
 * @param isTrusted asked at each read: while it says no, nothing is answered from memory or remembered
 */
export function createSessionCache<E extends Entry>(options: {
  max: number;
  isTrusted: () => boolean;
}): SessionCache<E> {
  const keysBySession = new Map<string, Set<string>>();
  const sessionsByUser = new Map<string, Set<string>>();
  const entries = new LRUCache<string, E>({
    max: options.max,
    dispose: (entry, key) => unlink(entry, key),
  });
  const reads = new Set<Set<string>>();
  // Of many that ask for one key at once, one reads: a person with a thousand open sockets has as many that ask.
  const shared = new Map<string, { readonly dropped: ReadonlySet<string>; readonly loaded: Promise<E | null> }>();

  function link(entry: E, key: string): void {
    const { id, userId } = entry.session;
    keysBySession.set(id, (keysBySession.get(id) ?? new Set()).add(key));
    sessionsByUser.set(userId, (sessionsByUser.get(userId) ?? new Set()).add(id));
  }

  function unlink(entry: E, key: string): void {
    const { id, userId } = entry.session;
    const keys = keysBySession.get(id);
    keys?.delete(key);
    if (keys?.size !== 0) return;
    keysBySession.delete(id);
    const sessions = sessionsByUser.get(userId);
    sessions?.delete(id);
    if (sessions?.size === 0) sessionsByUser.delete(userId);
  }

  function noteDrop(what: string): void {
    for (const dropped of reads) dropped.add(what);
  }

  function dropSession(id: string): void {
    noteDrop(id);
    for (const key of [...(keysBySession.get(id) ?? [])]) entries.delete(key);
  }

  async function read(key: string, dropped: Set<string>, load: () => Promise<E | null>): Promise<E | null> {
    reads.add(dropped);
    try {
      const loaded = await load();
      if (loaded && options.isTrusted() && !concerns(dropped, loaded)) {
        entries.set(key, loaded);
        link(loaded, key);
      }
      return loaded;
    } finally {
      reads.delete(dropped);
      if (shared.get(key)?.dropped === dropped) shared.delete(key);
    }
  }

  return {
    async get(key, load) {
      const isTrusted = options.isTrusted();
      const remembered = isTrusted ? entries.get(key) : undefined;
      if (remembered) return remembered;
      // A read that began before a change is no answer for whoever asks after it.
      const other = isTrusted ? shared.get(key) : undefined;
      if (other?.dropped.size === 0) return other.loaded;
      const dropped = new Set<string>();
      const loaded = read(key, dropped, load);
      shared.set(key, { dropped, loaded });
      return loaded;
    },
    dropSession,
    dropUser(id) {
      noteDrop(id);
      for (const session of [...(sessionsByUser.get(id) ?? [])]) dropSession(session);
    },
    dropAll() {
      noteDrop(EVERYBODY);
      entries.clear();
    },
    get size() {
      return entries.size;
    },
  };
}

function concerns(dropped: ReadonlySet<string>, { session }: Entry): boolean {
  return dropped.has(EVERYBODY) || dropped.has(session.id) || dropped.has(session.userId);
}
