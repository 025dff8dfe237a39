import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, parse } from 'node:path';
import { EmbeddedDatabaseError } from './errors.ts';
import type { Site } from './site.ts';

/**
 * Starts one of PostgreSQL's programs without any of the gateway's environment, which holds its secrets.
 * @throws {EmbeddedDatabaseError} when the system does not start it
 */
export async function startProgram(
  site: Site,
  program: string,
  options: string[],
  how: Pick<SpawnOptions, 'detached' | 'stdio'>,
): Promise<ChildProcess> {
  const child = spawnAs(site, program, options, {
    ...how,
    // The gateway's own folder may be closed to whom we run it as.
    cwd: parse(program).root,
    env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin' },
    windowsHide: true,
  });
  try {
    await once(child, 'spawn');
    return child;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EmbeddedDatabaseError(`PostgreSQL could not be run (${reason}).${permissionHint(site)}`, {
      cause: error,
    });
  }
}

function spawnAs({ runAs }: Site, program: string, options: string[], how: SpawnOptions): ChildProcess {
  if (!runAs) return spawn(program, options, how);
  const { uid, gid, overridesPermissions } = runAs;
  if (!overridesPermissions) return spawn(program, options, { ...how, uid, gid });
  // One capability opens what is closed to that user without changing anybody's permissions; no_setuid_fixup makes
  // access(2) respect it, by which PostgreSQL's programs find each other.
  const capability = ['--inh-caps=-all,+dac_override', '--ambient-caps=-all,+dac_override'];
  const user = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  const bits = '--securebits=+no_setuid_fixup';
  return spawn('setpriv', [...user, ...capability, bits, program, ...options], how);
}

/** What to add to a failure that may come from root's running PostgreSQL as somebody else; empty for ordinary users. */
export function permissionHint({ runAs, dataDir, binaries }: Site): string {
  if (!runAs) return '';
  const closed = runAs.overridesPermissions ? `, who may not enter ${dataDir} or ${dirname(binaries.postgres)}` : '';
  return (
    `\nPostgreSQL does not run as root, so it was run as user ${runAs.uid}${closed}. ` +
    'Choose a folder that other users may reach with POSTERN_DATA_DIR (and install Postern in one), start Postern as an ordinary user, or set DATABASE_URL.'
  );
}
