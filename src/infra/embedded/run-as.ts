import type { Stats } from 'node:fs';
import { chown, realpath, stat } from 'node:fs/promises';
import { dirname, parse } from 'node:path';
import { EmbeddedDatabaseError } from './errors.ts';
import { exists, readIfThere } from './files.ts';
import { outputOf } from './processes.ts';

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The user as whom root runs PostgreSQL, which refuses to be root. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
  /** Some folder on the way to the data or to the programs is closed to that user. */
  readonly overridesPermissions: boolean;
}

/**
 * Chooses the user that root lends to PostgreSQL, and lets it into the data folder.
 * @param postgres the program that this user is to run
 * @returns null for ordinary users, who run PostgreSQL as themselves
 */
export async function chooseRunAs(dataDir: string, cluster: string, postgres: string): Promise<RunAs | null> {
  if (process.getuid?.() !== 0) return null;

  const user = (await ownerOf(cluster)) ?? (await ownerOf(dataDir)) ?? (await serviceUser());
  // Another owner only where it helps: a folder that everybody may enter stays as it is.
  if (!(await mayEnter(user, dataDir))) await chown(dataDir, user.uid, user.gid);
  const reachable =
    (await mayReach(user, dataDir)) &&
    (await mayReach(user, dirname(postgres))) &&
    allows(await stat(postgres), user, 0o5);
  return { uid: user.uid, gid: user.gid, overridesPermissions: !reachable };
}

// An owner who is not root and whom the system knows by name, as initdb demands.
async function ownerOf(folder: string): Promise<User | null> {
  if (!(await exists(folder))) return null;
  const owner = await stat(folder);
  return (await systemUsers()).find(({ uid }) => uid === owner.uid && uid !== 0) ?? null;
}

async function serviceUser(): Promise<User> {
  const named = async (name: string) => (await systemUsers()).find((user) => user.name === name);
  const existing = await named('postgres');
  if (existing) return existing;
  await outputOf('groupadd', ['--system', 'postgres']);
  await outputOf('useradd', ['--system', '--gid', 'postgres', '--no-create-home', '--shell', '/bin/false', 'postgres']);
  const user = (await named('postgres')) ?? (await named('nobody'));
  if (user) return user;
  throw new EmbeddedDatabaseError(
    'PostgreSQL does not run as root, and there is no user to run it as: create the system user "postgres", start Postern as an ordinary user, or set DATABASE_URL.',
  );
}

async function systemUsers(): Promise<User[]> {
  const lines = ((await readIfThere('/etc/passwd')) ?? '').split('\n').filter((line) => line.includes(':'));
  return lines.map((line) => {
    const [name = '', , uid, gid] = line.split(':');
    return { name, uid: Number(uid), gid: Number(gid) };
  });
}

async function mayReach(user: User, folder: string): Promise<boolean> {
  for (let at = await realpath(folder); ; at = dirname(at)) {
    if (!(await mayEnter(user, at))) return false;
    if (at === parse(at).root) return true;
  }
}

async function mayEnter(user: User, folder: string): Promise<boolean> {
  return allows(await stat(folder), user, 0o1);
}

function allows(file: Stats, user: User, wanted: number): boolean {
  const shift = file.uid === user.uid ? 6 : file.gid === user.gid ? 3 : 0;
  return ((file.mode >> shift) & wanted) === wanted;
}
