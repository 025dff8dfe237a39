import type { Database, Db } from '../../src/infra/database.ts';
import type { Gateway } from './gateway.ts';

/** Reads along what a gateway asks its database. */
export interface Statements {
  /** What was asked since the last call, transaction by transaction; BEGIN and COMMIT are some. */
  take(): string[];
}

/**
 * What a gateway does by itself, now and then: its keys, removing what is over, ending sessions whose time is over. And
 * the hints to other instances, which go out some time after the answer: strangers bring about nothing that is told.
 */
const HOUSEKEEPING = /signing_keys|^SELECT pg_notify|^DELETE FROM \w+ WHERE (GREATEST|LEAST|expires_at|expire|at)\b/;

/** Writes down each statement of a gateway where it is made: without those of the bus and of graphile-worker. */
export function recordStatements({ app }: Gateway): Statements {
  let seen: string[] = [];
  const keep = (statements: readonly string[]) => {
    if (!statements.some((statement) => HOUSEKEEPING.test(statement))) seen.push(...statements);
  };
  const recording = (db: Db, note: (statement: string) => void): Db => {
    const text = (strings: TemplateStringsArray) => strings.join('$').replace(/\s+/g, ' ').trim();
    return {
      query(strings, ...values) {
        note(text(strings));
        return db.query(strings, ...values);
      },
      execute(strings, ...values) {
        note(text(strings));
        return db.execute(strings, ...values);
      },
    };
  };
  const alone = (db: Db) => recording({ ...db }, (statement) => keep([statement]));
  const { transaction } = app.database;
  const recorded: Pick<Database, 'transaction'> = {
    async transaction(work, atCommit) {
      const statements = ['BEGIN'];
      const note = (statement: string) => void statements.push(statement);
      try {
        return await transaction(
          (db) => work(recording(db, note)),
          atCommit && ((db) => atCommit(recording(db, note))),
        );
      } finally {
        keep([...statements, 'COMMIT']);
      }
    },
  };
  // The limiter holds the second one itself.
  Object.assign(app.database.relaxed, alone(app.database.relaxed));
  Object.assign(app.database, alone(app.database), recorded);
  return {
    take() {
      const taken = seen;
      seen = [];
      return taken;
    },
  };
}
