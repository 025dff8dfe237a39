import { readEnvironment } from './config.ts';
import { loadOperatorConfig } from './operator-config.ts';
import { type StandalonePostern, startPostern } from './standalone.ts';

/** A stop that takes longer than this is none. */
const STOP_WITHIN_MS = 10_000;

const begun = performance.now();
let running: StandalonePostern | undefined;
let ending: number | null = null;

process.on('SIGTERM', () => end(0));
process.on('SIGINT', () => end(0));
// After a fault that nobody caught, the state of the process is anybody's guess: it drains and ends, and whatever
// supervises it starts a new one. A rejected promise that nobody awaits arrives here too.
process.on('uncaughtException', (error) => {
  if (running) running.log.fatal({ err: error }, 'an error that nobody caught');
  else process.stderr.write(`${error.stack}\n`);
  end(1);
});

try {
  const own = await loadOperatorConfig('.');
  running = await startPostern({ settings: readEnvironment(), ...own });
  const { url, config, log } = running;
  log.info({ url, ms: Math.round(performance.now() - begun) }, `Postern is ready at ${config.publicUrl}/graphql`);
  if (config.graphiql) log.info(`open ${config.publicUrl}/graphql in a browser for GraphiQL`);
  if (!config.mail.smtpUrl && !own.hooks?.sendMail)
    log.info(`mails are not sent, but shown at ${config.publicUrl}/outbox`);
  // Asked to stop while it was starting: what was started is stopped in order.
  if (ending !== null) await finish(running, ending);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

function end(status: number): void {
  if (ending !== null) return;
  ending = status;
  // The promise of the whole: whatever hangs, the process ends in time.
  setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
  if (running) void finish(running, status);
}

async function finish({ log, close }: StandalonePostern, status: number): Promise<void> {
  await close().catch((error: unknown) => log.error({ err: error }, 'stopping failed'));
  log.info('stopped');
  process.exit(status);
}
