/** A gateway reduced to its database: starts it, says so, and holds it until it is killed. */
import { startEmbeddedDatabase } from '../../src/infra/embedded.ts';

const say = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`);
const [dataDir = ''] = process.argv.slice(2);

try {
  const { url } = await startEmbeddedDatabase({ dataDir, log: () => undefined });
  say({ url });
} catch (error) {
  say({ error: error instanceof Error ? error.name : String(error) });
}
