/** Prisma's migration engine as WebAssembly. What it needs is loaded at its first use: most starts migrate nothing. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import type pg from 'pg';
import { connectAdapter } from './engine-adapter.ts';

/** Everything is ours: no table is kept from the engine. */
export const FILTERS = { externalTables: [], externalEnums: [] };

/**
 * Lends the engine, connected to a database.
 * @param scratchUrl an empty database, for work that replays migrations
 */
export async function withEngine<T>(
  databaseUrl: string,
  scratchUrl: string | null,
  work: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  const [{ bindMigrationAwareSqlAdapterFactory }, Engine] = await Promise.all([
    import('@prisma/driver-adapter-utils'),
    loadEngine(),
  ]);
  const pools: pg.Pool[] = [];
  const connectTo = async (url: string) => {
    const adapter = await connectAdapter(url);
    pools.push(adapter.underlyingDriver());
    return adapter;
  };
  const factory = bindMigrationAwareSqlAdapterFactory({
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: () => connectTo(databaseUrl),
    // Prisma's own would replay the migrations into the database of the connection string itself.
    connectToShadowDb: () => {
      if (scratchUrl === null) throw new Error('no scratch database was asked for');
      return connectTo(scratchUrl);
    },
  });
  try {
    const engine = await Engine.new({ datamodels: undefined }, () => undefined, factory);
    return await work(engine).finally(() => engine.free());
  } catch (error) {
    // What the engine cannot describe it passes on as a number.
    const [, id] = /External error id#(\d+)/.exec(String(error)) ?? [];
    throw factory.errorRegistry.consumeError(Number(id))?.error ?? error;
  } finally {
    for (const pool of pools) if (!pool.ended) await pool.end();
  }
}

let loading: Promise<typeof SchemaEngine> | undefined;

// Once in a process: its bindings have one memory for whatever was instantiated last, and confuse it with the first.
function loadEngine(): Promise<typeof SchemaEngine> {
  loading ??= instantiateEngine();
  return loading;
}

declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: Record<string, object>): Promise<{ instance: { exports: EngineExports } }>;
};

interface EngineExports {
  __wbindgen_start(): void;
}

// What the package's own entry does, for a Node that cannot import WebAssembly as a module.
async function instantiateEngine(): Promise<typeof SchemaEngine> {
  const bindings = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const entry = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm');
  const bytes = await readFile(join(dirname(entry), 'schema_engine_bg.wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': bindings });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  hearPanics();
  return bindings.SchemaEngine;
}

// The engine looks here when it panics, and would hide its reason behind a TypeError if there were nothing. Prisma's
// client, where it was loaded before, has put its own.
function hearPanics(): void {
  const registry = 'PRISMA_WASM_PANIC_REGISTRY';
  if (registry in globalThis) return;
  const panics = {
    set_message(message: string) {
      throw new Error(`Prisma's migration engine gave up: ${message}`);
    },
  };
  Object.assign(globalThis, { [registry]: panics });
}
