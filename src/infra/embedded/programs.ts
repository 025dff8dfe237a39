import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, parse } from 'node:path';
import { EmbeddedDatabaseError } from './errors.ts';
import type { Site } from './site.ts';

/** How one of PostgreSQL's programs is started: as whom, and without any of our environment, which holds our secrets. */
export interface Invocation {
  readonly program: string;
  readonly options: readonly string[];
  readonly how: Pick<SpawnOptions, 'cwd' | 'env' | 'windowsHide' | 'uid' | 'gid'>;
}

/** Says how to start one of PostgreSQL's programs for a data folder. */
export function invocationOf({ runAs }: Site, program: string, options: readonly string[]): Invocation {
  const how = {
    // The gateway's own folder may be closed to whom we run it as.
    cwd: parse(program).root,
    env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin' },
    windowsHide: true,
  };
  if (!runAs) return { program, options, how };
  const { uid, gid, overridesPermissions } = runAs;
  if (!overridesPermissions) return { program, options, how: { ...how, uid, gid } };
  // One capability opens what is closed to that user without changing anybody's permissions; no_setuid_fixup makes
  // access(2) respect it, by which PostgreSQL's programs find each other.
  const capability = ['--inh-caps=-all,+dac_override', '--ambient-caps=-all,+dac_override'];
  const user = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  const bits = '--securebits=+no_setuid_fixup';
  return { program: 'setpriv', options: [...user, ...capability, bits, program, ...options], how };
}

/**
 * Starts one of PostgreSQL's programs.
 * @throws {EmbeddedDatabaseError} when the system does not start it
 */
export async function startProgram(
  site: Site,
  program: string,
  options: readonly string[],
  how: Pick<SpawnOptions, 'detached' | 'stdio'>,
): Promise<ChildProcess> {
  const invocation = invocationOf(site, program, options);
  const child = spawn(invocation.program, invocation.options, { ...invocation.how, ...how });
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

/** What to add to a failure that may come from root's running PostgreSQL as somebody else; empty for ordinary users. */
export function permissionHint({ runAs, dataDir, binaries }: Site): string {
  if (!runAs) return '';
  const closed = runAs.overridesPermissions ? `, who may not enter ${dataDir} or ${dirname(binaries.postgres)}` : '';
  return (
    `\nPostgreSQL does not run as root, so it was run as user ${runAs.uid}${closed}. ` +
    'Choose a folder that other users may reach with POSTERN_DATA_DIR (and install Postern in one), start Postern as an ordinary user, or set DATABASE_URL.'
  );
}
