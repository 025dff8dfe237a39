import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedDatabase } from '../src/infra/embedded.ts';
import { type Measure, openBench } from './bench.ts';
import { measureCurrentUser } from './measures/current-user.ts';
import { measureFlood } from './measures/flood.ts';
import { measureFootprint } from './measures/footprint.ts';
import { measureGrowth } from './measures/growth.ts';
import { measureLive } from './measures/live.ts';
import { measureLogins } from './measures/logins.ts';
import { measureMails } from './measures/mails.ts';
import { measureSecondFactors } from './measures/second-factors.ts';
import { measureStatements } from './measures/statements.ts';
import { measureTabs } from './measures/tabs.ts';
import { measureRefreshes, measureSignUps } from './measures/tokens.ts';
import { RESULTS, type Row, toText, writeReadme, writeResults } from './report.ts';

/**
 * npm run bench: everything in one run, on one PostgreSQL, in about four minutes.
 *
 *     --write   also put the table into bench/README.md
 *     --quick   a quarter of the time, to see that it works
 *     --grown   the figures of sessions once more, with a million people and three million sessions
 *     --profile CPU profiles of the gateway into bench/results, for a browser's developer tools
 */
const say = (text: string) => process.stdout.write(`${text}\n`);
const asked = new Set(process.argv.slice(2));
const begun = performance.now();

build();
const folder = await mkdtemp(join(tmpdir(), 'postern-bench-'));
const database = await startEmbeddedDatabase({ dataDir: join(folder, 'postgres'), log: () => undefined });
// The gateway and the partners get the interrupt of a terminal as well; the database must be told.
process.once('SIGINT', () => database.stop().finally(() => process.exit(130)));
const rows: Row[] = [];
const figures: Record<string, number | null> = {};
try {
  const bench = await openBench({
    databaseUrl: database.url,
    folder,
    pace: asked.has('--quick') ? 0.25 : 1,
    profileInto: asked.has('--profile') ? RESULTS : undefined,
  });
  try {
    const take = async (measure: Measure) => {
      const taken = await measure(bench);
      rows.push(...taken.rows);
      Object.assign(figures, taken.figures);
      say(`${toText(taken.rows)}\n`);
    };
    await take(measureSignUps);
    await take(measureRefreshes);
    await take(measureLogins);
    await take(measureMails);
    await take(measureSecondFactors);
    await take(measureCurrentUser);
    await take(measureTabs);
    await take(measureLive);
    await take(measureStatements);
    const { loginsPerSecond: logins, verificationsPerSecond: verifications } = figures;
    await take(measureFlood({ logins: logins ?? 0, verifications: verifications ?? 0 }));
    await take(measureFootprint);
    if (asked.has('--grown')) await take(measureGrowth(figures));
    const errors = await bench.gateway.errorsLogged();
    const row = { what: 'errors in the log of the gateway', figure: String(errors), aim: '0', holds: errors === 0 };
    rows.push(row);
    say(toText([row]));
  } finally {
    await bench.close();
  }
} finally {
  await database.stop();
  await rm(folder, { recursive: true, force: true });
}
say(`\n${toText(rows)}\n`);
say(`${await writeResults(rows, figures)}, after ${Math.round((performance.now() - begun) / 1000)} s`);
if (asked.has('--write')) await writeReadme(rows);

function build(): void {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit', shell: true });
  if (status !== 0) process.exit(1);
}
