import { join } from 'node:path';
import type { BareTask } from './bare.ts';
import { type Gateway, startGateway } from './gateway.ts';
import type { Load, LoadResult } from './load.ts';
import { type MailServer, startMailServer } from './mail-server.ts';
import { type Partner, startPartner } from './messages.ts';
import type { Person } from './operations.ts';
import type { RawTask } from './raw.ts';
import type { Row } from './report.ts';

export interface BenchOptions {
  readonly databaseUrl: string;
  /** A folder that is removed at the end. */
  readonly folder: string;
  /** How long everything takes, 1 being the usual. */
  readonly pace: number;
  /** Where the gateway leaves its CPU profiles, if anywhere. */
  readonly profileInto?: string | undefined;
}

/** What every measure works with: one gateway on one PostgreSQL, and partners in processes of their own. */
export interface Bench extends BenchOptions {
  readonly gateway: Gateway;
  /** Where all mails go. */
  readonly mailServer: MailServer;
  /** People with an account, a session token and a JWT. */
  readonly people: Person[];
  /** People with an account, a session token and a verified address. */
  readonly verified: Person[];
  /** Sends load. */
  readonly load: Partner<Load, LoadResult>;
  /** Sends other load at the same time. */
  readonly probe: Partner<Load, LoadResult>;
  readonly raw: Partner<RawTask, number>;
  /** Ports of the servers to compare with. */
  readonly bare: Readonly<Record<BareTask['kind'], number>>;
  close(): Promise<void>;
}

/** One thing that is measured: rows for the table, and their numbers. */
export type Measure = (bench: Bench) => Promise<{ rows: Row[]; figures: Record<string, number | null> }>;

/** Starts a gateway on a PostgreSQL, and all that the measures need beside it. */
export async function openBench(options: BenchOptions): Promise<Bench> {
  const { databaseUrl, folder, profileInto } = options;
  const mailServer = await startMailServer();
  const dataDir = join(folder, 'gateway');
  const gateway = await startGateway({ dataDir, databaseUrl, smtpUrl: mailServer.url, profileInto });
  const load = startPartner<Load, LoadResult>('./load.ts');
  const probe = startPartner<Load, LoadResult>('./load.ts');
  const raw = startPartner<RawTask, number>('./raw.ts');
  const servers = {
    yoga: startPartner<BareTask, number>('./bare.ts'),
    node: startPartner<BareTask, number>('./bare.ts'),
  };
  const bare = {
    yoga: await servers.yoga.ask({ kind: 'yoga' }),
    node: await servers.node.ask({ kind: 'node' }),
  };
  return {
    ...options,
    gateway,
    mailServer,
    people: [],
    verified: [],
    load,
    probe,
    raw,
    bare,
    async close() {
      await Promise.all([load, probe, raw, servers.yoga, servers.node, gateway].map((part) => part.stop()));
      await mailServer.close();
    },
  };
}

/** How many requests came to an outcome in a second. */
export function rate({ outcomes, seconds }: LoadResult, outcome: string): number {
  return (outcomes[outcome]?.count ?? 0) / seconds;
}

/**
 * Fails if answers were of another kind than those that the measure is about.
 * @returns the same result
 */
export function only(result: LoadResult, ...allowed: readonly string[]): LoadResult {
  const others = Object.entries(result.outcomes).filter(([outcome]) => !allowed.includes(outcome));
  if (others.length === 0) return result;
  throw new Error(`expected ${allowed.join(' or ')}, but got ${others.map(([o, { count }]) => `${count} × ${o}`)}`);
}
