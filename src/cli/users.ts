import type { Command } from './command.ts';
import { UsageError } from './command.ts';
import { ACTS, actOnUser } from './users/act.ts';
import { createUser } from './users/create.ts';
import { inviteUser } from './users/invite.ts';
import { listUsers, showUser } from './users/look.ts';

export const users: Command = {
  usage: `postern users list|show|create|invite|${Object.keys(ACTS).join('|')} [WHO] [ROLE …|--none] [--json]`,
  summary:
    'looks at accounts, makes them, invites to them, and acts on the account of WHO, an id or an address; what has to end ends at once on every instance. `create ADDRESS --role admin` makes the first administrator',
  options: {
    '--none': 'roles: take all of them away',
    '--search TEXT': 'list: whose address, user name, name or number begins like this',
    '--role ROLES': 'list: who has this role; create, invite: the roles they get, with commas',
    '--disabled': 'list: only who is disabled',
    '--first NUMBER': 'list: how many, 20 if not said',
    '--after CURSOR': 'list: the page after this one',
    '--name NAME': 'create: what the person is called',
    '--username NAME': 'create: a user name',
    '--verified': 'create: you know that the mailbox is theirs',
    '--password-stdin': 'create: read the password from the standard input; without it, a link to choose it is printed',
    '--json': 'print it as JSON',
  },
  words: 52,
  run: async (given) => {
    const [action = '', who, ...more] = given.words;
    if (given.flags.has('none') && action !== 'roles') throw new UsageError('--none is for roles');
    if (action !== 'roles' && more.length > 0) throw new UsageError(`${more.at(-1)} is one word too many`);
    if (action === 'list') {
      if (who !== undefined) throw new UsageError(`${who} is one word too many; --search looks for it`);
      return listUsers(given);
    }
    const known = action === 'show' || action === 'create' || action === 'invite' || Object.hasOwn(ACTS, action);
    if (!known) throw new UsageError(`say what to do: list, show, create, invite, ${Object.keys(ACTS).join(', ')}`);
    if (who === undefined) throw new UsageError('say to whom: an id or an address');
    if (action === 'show') return showUser(given, who);
    if (action === 'create') return createUser(given, who);
    if (action === 'invite') return inviteUser(given, who);
    return actOnUser(given, action, who, more);
  },
};
