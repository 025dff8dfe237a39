import { text } from 'node:stream/consumers';
import { createAccount, type NewUser } from '../../administration/create-account.ts';
import { hashingOf, secretsOf } from '../../app.ts';
import type { Config } from '../../config.ts';
import { createPasswords } from '../../infra/passwords.ts';
import { domainOf, localPartOf, parseEmailAddress } from '../../lib/email-address.ts';
import { parsePersonName } from '../../lib/person-name.ts';
import { parseRoles } from '../../lib/roles.ts';
import { parseUsername } from '../../lib/username.ts';
import { asOperator } from '../../operator.ts';
import { type Given, print, UsageError } from '../command.ts';
import { operatorPartsOf, withDatabase } from '../database.ts';

/** Makes an account, and prints where its password is chosen: to whoever reads the terminal, and to nobody else. */
export async function createUser(given: Given, address: string): Promise<undefined> {
  const person = read(given, address);
  const typed = given.flags.has('password-stdin') ? firstLine(await text(process.stdin)) : null;
  return withDatabase(async (config, database) => {
    const password = typed === null ? null : await hash(config, typed, person);
    const parts = await operatorPartsOf(config, database);
    const created = await asOperator(parts, new Date(), (act) =>
      createAccount(act, { ...person, password, passwordIsInitial: false }),
    );
    if (created.kind === 'taken') throw new Error(`Somebody has this ${created.path} already.`);
    const { user, link } = created;
    const lines = [`${user.id} is made`, ...(link === null ? [] : [`Choose the password here: ${link}`])];
    print(given, { userId: user.id, roles: user.roles, link }, lines);
    return undefined;
  });
}

/** The roles of an option, with commas. */
export function readRoles({ values: { role = '' } }: Given): readonly string[] {
  const roles = parseRoles(role === '' ? [] : role.split(','));
  if (!roles) throw new UsageError(`${role} is no list of roles`);
  return roles;
}

/** An address as an operator writes it. */
export function readAddress(written: string) {
  const address = parseEmailAddress(written);
  if (!address) throw new UsageError(`${written} is no address`);
  return address;
}

function read(given: Given, address: string): Omit<NewUser, 'password' | 'passwordIsInitial'> {
  const { name: called = '', username: typed } = given.values;
  const name = parsePersonName(called);
  if (name && typeof name === 'object') throw new UsageError(`${called} is no name`);
  const username = typed === undefined ? null : parseUsername(typed);
  if (typeof username === 'string') throw new UsageError(`${typed} is no user name`);
  const emailVerified = given.flags.has('verified');
  return { email: readAddress(address), emailVerified, name, username, roles: readRoles(given) };
}

async function hash(
  config: Config,
  typed: string,
  { email, name, username }: Pick<NewUser, 'email' | 'name' | 'username'>,
) {
  const passwords = createPasswords(hashingOf(config, await secretsOf(config)));
  try {
    const words = [email, localPartOf(email), domainOf(email), name ?? '', username?.username ?? ''];
    const reasons = await passwords.refuse(typed, { minLength: config.password.minLength, words });
    if (reasons.length > 0) throw new Error(`This password is refused: ${reasons.join(', ')}.`);
    const slot = passwords.reserve();
    if (!slot) throw new Error('a password pool that nobody uses is full');
    return await slot.hash(typed).finally(() => slot.release());
  } finally {
    await passwords.close();
  }
}

function firstLine(typed: string): string {
  return typed.split(/\r?\n/)[0] ?? '';
}
