import { join } from 'node:path';
import type { Measure } from '../bench.ts';
import { startGateway } from '../gateway.ts';
import { memoryBelow, residentMemory } from '../memory.ts';
import { mebibytes, milliseconds } from '../report.ts';
import { median } from '../statistics.ts';

const STARTS = 3;

/** How long a gateway takes to start on its own embedded PostgreSQL, and what it takes of memory. */
export const measureFootprint: Measure = async ({ folder, gateway }) => {
  const loaded = await residentMemory(gateway.pid);
  const dataDir = join(folder, 'embedded');
  const first = await startGateway({ dataDir });
  await first.stop();
  const times: number[] = [];
  let idle: number | null = null;
  let postgres: number | null = null;
  for (let start = 0; start < STARTS; start += 1) {
    const started = await startGateway({ dataDir });
    times.push(started.startedIn);
    idle = await residentMemory(started.pid);
    postgres = await memoryBelow(started.pid);
    await started.stop();
  }
  const startUp = median(times);
  return {
    rows: [
      {
        what: 'start to ready, on an initialised data folder',
        figure: milliseconds(startUp),
        aim: '≤ 3 s',
        holds: startUp <= 3_000,
      },
      { what: 'memory of the gateway after the start (RSS)', figure: mebibytes(idle) },
      { what: 'memory of the gateway after all of the load (RSS)', figure: mebibytes(loaded) },
      { what: 'memory of the embedded PostgreSQL (PSS)', figure: mebibytes(postgres) },
    ],
    figures: {
      startMs: startUp,
      firstStartMs: first.startedIn,
      rssAfterStart: idle,
      rssAfterLoad: loaded,
      postgresPss: postgres,
    },
  };
};
