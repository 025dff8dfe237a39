import { randomInt } from 'node:crypto';
import type { App } from '../../app.ts';
import { parseUsername } from '../../lib/username.ts';
import type { NewAccount } from '../../login/account.ts';
import type { Identity } from '../../login/identity.ts';
import * as users from '../../records/users.ts';
import type { Unit } from '../../unit.ts';
import { usernamesAreOn } from './identifier.ts';

const MAX_LENGTH = 32;

/**
 * A user name for somebody who comes from a provider: the one that it knows them by, if that is one for us and nobody's,
 * or else the one that the operator's hook has generated, with a number at its end if need be.
 */
export async function freeUsername(
  app: App,
  { db }: Unit,
  { username, decided }: Pick<Identity, 'username' | 'decided'>,
): Promise<NewAccount['username']> {
  if (!usernamesAreOn(app)) return null;
  const generated = decided?.generatedUsername ?? null;
  const wanted = [username, ...(generated === null ? [] : numbered(generated))].flatMap(read);
  if (wanted.length === 0) return null;
  const taken = await users.takenUsernames(
    db,
    wanted.map(({ key }) => key),
  );
  return wanted.find(({ key }) => !taken.has(key)) ?? null;
}

function read(name: string | null): NonNullable<NewAccount['username']>[] {
  const parsed = name === null ? 'INVALID' : parseUsername(name);
  return typeof parsed === 'string' ? [] : [parsed];
}

/** The name, and the name with small numbers; should all of them be taken, with large ones that nobody has. */
function numbered(name: string): string[] {
  const small = ['2', '3', '4', '5', '6', '7', '8', '9'];
  const large = [4, 6, 8].map((digits) => String(randomInt(10 ** (digits - 1), 10 ** digits)));
  const cut = (number: string) => name.slice(0, MAX_LENGTH - number.length).replace(/[._-]$/, '');
  return [name, ...[...small, ...large].map((number) => `${cut(number)}${number}`)];
}
