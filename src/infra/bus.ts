import pg from 'pg';

/** The channel on which the database tells what changed; its triggers send, so nothing that changes can forget to. */
const CHANNEL = 'postern';
const HEARTBEAT_MS = 300;
/** Silence for longer than this means that changes may have been missed. */
const TRUST_MS = 750;
const RECONNECT_MS = 250;

/** What changed in the database, on whatever instance or by whatever hand. */
export type Change =
  | { readonly kind: 'session'; readonly id: string }
  | { readonly kind: 'user'; readonly id: string }
  /** There are new events of this person. */
  | { readonly kind: 'events'; readonly id: string }
  | { readonly kind: 'signing-keys' }
  /** Changes may have been missed: everything that was remembered is in doubt. */
  | { readonly kind: 'unknown' };

/** Changes of sessions, people and keys, as PostgreSQL commits them. */
export interface Bus {
  /** Whether every change up to this moment, but the last second, has been heard. */
  isLive(): boolean;
  close(): Promise<void>;
}

/**
 * Listens on a connection of its own and asks it for a sign of life several times a second, so that a connection that
 * died without a word is noticed within a second. While it is not live, callers must ask the database itself.
 */
export async function openBus(options: {
  url: string;
  onChange: (change: Change) => void;
  onError: (error: Error) => void;
}): Promise<Bus> {
  let client: pg.Client | null = null;
  let heardAt = Number.NEGATIVE_INFINITY;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  async function connect(): Promise<void> {
    const next = new pg.Client({
      connectionString: options.url,
      connectionTimeoutMillis: 3_000,
      query_timeout: TRUST_MS,
    });
    const lose = (error?: Error) => {
      if (client !== next) return;
      client = null;
      heardAt = Number.NEGATIVE_INFINITY;
      options.onChange({ kind: 'unknown' });
      if (error) options.onError(error);
    };
    next.on('error', lose);
    next.on('end', () => lose());
    next.on('notification', ({ payload = '' }) => options.onChange(parseChange(payload)));
    try {
      await next.connect();
      await next.query(`LISTEN ${CHANNEL}`);
    } catch (error) {
      await next.end().catch(() => undefined);
      throw error;
    }
    if (closed) return next.end();
    client = next;
    heardAt = performance.now();
    // What changed while nobody listened is unknown; from here on nothing is missed.
    options.onChange({ kind: 'unknown' });
  }

  async function beat(): Promise<void> {
    const current = client;
    if (!current) return connect();
    const asked = performance.now();
    try {
      await current.query('SELECT 1');
      if (client === current) heardAt = asked;
    } catch (error) {
      current.emit('error', error as Error);
      current.end().catch(() => undefined);
    }
  }

  function schedule(): void {
    if (closed) return;
    timer = setTimeout(
      () => {
        beat().catch(options.onError).finally(schedule);
      },
      client ? HEARTBEAT_MS : RECONNECT_MS,
    ).unref();
  }

  await connect();
  schedule();
  return {
    isLive: () => client !== null && performance.now() - heardAt < TRUST_MS,
    async close() {
      closed = true;
      clearTimeout(timer);
      const last = client;
      client = null;
      await last?.end().catch(() => undefined);
    },
  };
}

function parseChange(payload: string): Change {
  const [kind, id] = payload.split(':');
  if ((kind === 'session' || kind === 'user' || kind === 'events') && id) return { kind, id };
  return kind === 'signing-keys' ? { kind } : { kind: 'unknown' };
}
