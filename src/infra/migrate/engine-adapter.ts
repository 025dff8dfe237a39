import type { PrismaPg } from '@prisma/adapter-pg';
import type { ColumnType } from '@prisma/driver-adapter-utils';
import pg from 'pg';

type PrismaPgAdapter = Awaited<ReturnType<PrismaPg['connect']>>;

/** Connects Prisma's adapter for pg, and mends what the engine needs of it and the client never does. */
export async function connectAdapter(connectionString: string): Promise<PrismaPgAdapter> {
  const [{ PrismaPg }, { ColumnTypeEnum, DriverAdapterError }] = await Promise.all([
    import('@prisma/adapter-pg'),
    import('@prisma/driver-adapter-utils'),
  ]);
  const adapter = await new PrismaPg({ connectionString, application_name: 'postern migrate' }).connect();
  const pool = adapter.underlyingDriver();
  const runScript = pool.query.bind(pool);
  // Prisma's own cuts a script at every semicolon, the ones in function bodies included. Sent whole it is understood,
  // and PostgreSQL makes one transaction of it: a migration is applied entirely or not at all.
  adapter.executeScript = async (script) => {
    await runScript(script).catch((error: unknown) => {
      if (!isDatabaseError(error)) throw error;
      const { code = '', severity = 'ERROR', message, detail, column, hint } = error;
      throw new DriverAdapterError({ kind: 'postgres', code, severity, message, detail, column, hint });
    });
  };
  teachChar(adapter, ColumnTypeEnum.Character);
  return adapter;
}

// The engine reads PostgreSQL's catalogue, whose one-letter type "char" Prisma's adapter refuses. So it is shown text,
// and the engine, which insists on a letter, is told otherwise.
function teachChar(adapter: PrismaPgAdapter, character: ColumnType): void {
  const { CHAR, TEXT } = pg.types.builtins;
  const letters = new WeakMap<unknown[], number[]>();
  const pool = adapter.underlyingDriver();
  const query = pool.query.bind(pool);
  const queryRaw = adapter.queryRaw.bind(adapter);

  Object.assign(pool, {
    async query(config: pg.QueryConfig) {
      const result = await query(config);
      const columns: number[] = [];
      for (const [column, field] of result.fields.entries()) {
        if (field.dataTypeID !== CHAR) continue;
        field.dataTypeID = TEXT;
        columns.push(column);
      }
      letters.set(result.rows, columns);
      return result;
    },
  });
  adapter.queryRaw = async (question) => {
    const result = await queryRaw(question);
    for (const column of letters.get(result.rows) ?? []) result.columnTypes[column] = character;
    return result;
  };
}

// By its shape: the adapter may have a copy of pg of its own.
function isDatabaseError(error: unknown): error is pg.DatabaseError {
  return error instanceof Error && 'severity' in error;
}
