import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { hashToken, makeToken } from '../src/lib/secrets.ts';

/** A session that stands in the database, and what opens it. */
export interface SeededSession {
  readonly id: string;
  readonly userId: string;
  readonly token: string;
}

/** Puts people with sessions into the database, as logins by password would leave them. */
export async function seedSessions(
  databaseUrl: string,
  people: number,
  sessionsEach: number,
): Promise<SeededSession[]> {
  const userIds = Array.from({ length: people }, () => randomUUID());
  const sessions = userIds.flatMap((userId) =>
    Array.from({ length: sessionsEach }, () => ({ id: randomUUID(), userId, token: makeToken('session') })),
  );
  await withDatabase(databaseUrl, async (client) => {
    await client.query(
      `INSERT INTO users (id, name, created_at) SELECT id, 'Ada', now() FROM unnest($1::uuid[]) AS id`,
      [userIds],
    );
    await client.query(
      `INSERT INTO emails (id, user_id, address, is_primary, verified_at, created_at)
       SELECT gen_random_uuid(), id, id || '@seed.example.com', true, now(), now() FROM unnest($1::uuid[]) AS id`,
      [userIds],
    );
    await client.query(
      `INSERT INTO sessions (id, user_id, token_hash, credential, methods, created_at, last_seen_at, expires_at)
       SELECT id, user_id, token_hash, 'SESSION_TOKEN', jsonb_build_array(jsonb_build_object('method', 'PASSWORD', 'at', now())),
         now(), now(), now() + interval '30 days'
       FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS seeded (id, user_id, token_hash)`,
      [
        sessions.map(({ id }) => id),
        sessions.map(({ userId }) => userId),
        sessions.map(({ token }) => hashToken(token)),
      ],
    );
  });
  return sessions;
}

/** Fills the database up to so many people with so many sessions each, whom nobody will ask for. */
export async function fillUp(databaseUrl: string, people: number, sessionsEach: number): Promise<void> {
  const batch = 50_000;
  await withDatabase(databaseUrl, async (client) => {
    // It locks each person until the transaction ends, of whom there are too many in one of these.
    await client.query('ALTER TABLE events DISABLE TRIGGER postern_event_numbered');
    for (let done = 0; done < people; done += batch) {
      await client.query(
        `WITH people AS (
           INSERT INTO users (id, name, created_at) SELECT gen_random_uuid(), 'Ada', now() FROM generate_series(1, $1)
           RETURNING id
         ), addresses AS (
           INSERT INTO emails (id, user_id, address, is_primary, verified_at, created_at)
           SELECT gen_random_uuid(), id, id || '@filled.example.com', true, now(), now() FROM people
         ), told AS (
           INSERT INTO events (at, kind, user_id, data) SELECT now(), 'SignedUp', id, '{}' FROM people
         )
         INSERT INTO sessions (id, user_id, token_hash, credential, methods, created_at, last_seen_at, expires_at)
         SELECT gen_random_uuid(), id, sha256((id || '.' || n)::bytea), 'SESSION_TOKEN',
           '[{"method": "PASSWORD", "at": "2026-01-01T00:00:00Z"}]', now(), now(), now() + interval '30 days'
         FROM people, generate_series(1, $2) AS n`,
        [Math.min(batch, people - done), sessionsEach],
      );
    }
    await client.query('ALTER TABLE events ENABLE TRIGGER postern_event_numbered');
    await client.query('VACUUM ANALYZE users, emails, sessions, events');
    // What is measured next is not how all of this gets to the disk.
    await client.query('CHECKPOINT');
  });
}

async function withDatabase(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, statement_timeout: 0 });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
