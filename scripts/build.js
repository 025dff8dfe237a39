// Plain JavaScript, because it also runs where the development dependencies are not installed.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** Where the compiler is; null in an installation without development dependencies. */
function findCompiler() {
  try {
    return join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  } catch {
    return null;
  }
}

const compiler = findCompiler();
if (compiler) {
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
} else if (!existsSync('dist/main.js')) {
  const message =
    'Postern is not built, and its compiler is not installed: run `npm ci --include=dev && npm run build`.\n';
  process.stderr.write(message);
  // An installation for production may still bring the build from elsewhere; a start without it is none.
  process.exitCode = process.env.npm_lifecycle_event === 'prepare' ? 0 : 1;
}
