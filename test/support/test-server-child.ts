/** A test process reduced to its database: holds on to the server that all share, says where, and waits to be killed. */
import { createScratchDatabase } from '../../src/testing/database/scratch.ts';
import { sharedServer } from '../../src/testing/database/server.ts';

// Not from the start: the loader of TypeScript keeps what it has read in the usual place.
process.env.TMPDIR = process.env.SERVER_FOLDER;
const { url } = await createScratchDatabase(await sharedServer());
process.stdout.write(`${url}\n`);
setInterval(() => undefined, 60_000);
