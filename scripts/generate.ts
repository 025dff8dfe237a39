import { spawnSync } from 'node:child_process';

// `prisma generate` looks for its native schema engine and would download it, although generating a client does not
// need it. Any existing executable satisfies the look, so an install works behind every firewall.
const { status } = spawnSync('prisma', ['generate', '--no-hints'], {
  stdio: ['ignore', 'ignore', 'inherit'],
  shell: process.platform === 'win32',
  env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath },
});
process.exit(status ?? 1);
