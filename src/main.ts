import { readEnvironment } from './config.ts';
import { startPostern } from './index.ts';

/** A stop that takes longer than this is none. */
const STOP_WITHIN_MS = 10_000;

const begun = performance.now();
try {
  const { url, config, log, stop } = await startPostern(readEnvironment());
  log.info({ url, ms: Math.round(performance.now() - begun) }, `Postern is ready at ${url}/graphql`);
  if (config.graphiql) log.info(`open ${url}/graphql in a browser for GraphiQL`);

  let stopping = false;
  const end = async (status: number) => {
    if (stopping) return;
    stopping = true;
    // The promise of the whole: whatever hangs, the process ends in time.
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
    await stop().catch((error: unknown) => log.error({ err: error }, 'stopping failed'));
    log.info('stopped');
    process.exit(status);
  };
  process.on('SIGTERM', () => end(0));
  process.on('SIGINT', () => end(0));
  // After a fault that nobody caught, the state of the process is anybody's guess: it drains and ends, and whatever
  // supervises it starts a new one.
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'an error that nobody caught');
    end(1);
  });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
