import { spawnSync } from 'node:child_process';

/** Everything that has to hold before a change lands, cheapest first. */
const STEPS: readonly (readonly [what: string, command: string])[] = [
  ['types', 'tsc --noEmit'],
  ['lint and format', 'biome check --error-on-warnings .'],
  ['dead code and unused dependencies', 'knip'],
  ['pages made from the code', 'tsx codegen.ts --check'],
  ['tests', 'npm test'],
];

for (const [what, command] of STEPS) {
  process.stdout.write(`\n── ${what}: ${command}\n`);
  const { status } = spawnSync(command, { stdio: 'inherit', shell: true });
  if (status !== 0) {
    process.stderr.write(`\n${what} failed\n`);
    process.exit(1);
  }
}
