/** Takes the job `hang` of a database, says so, and never ends it: to be killed. */
import pino from 'pino';
import { startJobs } from '../../src/infra/jobs.ts';

await startJobs({
  url: process.argv[2] ?? '',
  log: pino({ level: 'silent' }),
  tasks: {
    hang: async () => {
      process.stdout.write('taken\n');
      await new Promise(() => undefined);
    },
  },
});
process.stdout.write('started\n');
