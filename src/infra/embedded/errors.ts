/** The embedded database cannot be used; the message tells the operator why, and what to do. */
export class EmbeddedDatabaseError extends Error {
  override readonly name: string = 'EmbeddedDatabaseError';
}

/** Another live gateway uses the data folder. */
export class DataDirTaken extends EmbeddedDatabaseError {
  override readonly name = 'DataDirTaken';

  constructor(dataDir: string) {
    super(
      `The data folder ${dataDir} is in use by another gateway that is running. ` +
        'Stop that one, give this one a folder of its own with POSTERN_DATA_DIR, or share a PostgreSQL with DATABASE_URL.',
    );
  }
}

/** The code by which Node or PostgreSQL names an error. */
export function errorCode(error: unknown): unknown {
  // Not by its class: a test runner may load us into a realm of its own, where those of Node are of another.
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
