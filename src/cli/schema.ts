import { writeFile } from 'node:fs/promises';
import { requireUserFields } from '../lib/user-fields/read.ts';
import { loadOperatorConfig } from '../operator-config.ts';
import type { Command } from './command.ts';

export const schema: Command = {
  usage: 'postern schema [--out FILE]',
  summary: 'prints the GraphQL schema, with the fields of the postern.config of this folder',
  options: { '--out FILE': 'write it to this file instead' },
  run: async ({ values: { out } }) => {
    const { userFields } = await loadOperatorConfig('.');
    // No other command needs the schema, and building it takes a while.
    const [{ schemaWith }, { printSubgraph }] = await Promise.all([
      import('../graphql/schema.ts'),
      import('../graphql/federation.ts'),
    ]);
    const sdl = printSubgraph(schemaWith(requireUserFields(userFields)));
    if (out === undefined) process.stdout.write(sdl);
    else await writeFile(out, sdl);
    return undefined;
  },
};
