import { type OperatorAction, type OperatorOutcome, operate } from '../operator.ts';
import { type Command, print, UsageError } from './command.ts';
import { withExistingDatabase } from './database.ts';

export const users: Command = {
  usage: 'postern users disable|enable|revoke-sessions|roles WHO [ROLE …|--none] [--json]',
  summary: 'acts on the account of WHO, an id or an address, and ends what has to end at once on every instance',
  options: { '--none': 'roles: take all of them away', '--json': 'print what was done as JSON' },
  words: 50,
  run: (given) => {
    const [action, who, ...roles] = given.words;
    const asked = operatorAction(action, roles, given.flags.has('none'));
    if (who === undefined) throw new UsageError('say to whom: an id or an address');
    return withExistingDatabase(async (database) => {
      const done = await operate(database, who, asked, new Date());
      if (!done) throw new Error(`There is nobody ${who}.`);
      print(given, done, [describeOutcome(asked, done)]);
      return undefined;
    });
  },
};

function operatorAction(name: string | undefined, roles: readonly string[], none: boolean): OperatorAction {
  if (name === 'roles') {
    const unfit = roles.find((role) => !/^[A-Za-z][A-Za-z0-9_:.-]{0,63}$/.test(role));
    if (unfit !== undefined) throw new UsageError(`${unfit} is no name of a role`);
    if (none && roles.length > 0) throw new UsageError('say which roles, or --none');
    return { kind: name, roles: roles.length > 0 || none ? [...new Set(roles)] : null };
  }
  if (none) throw new UsageError('--none is for roles');
  if (roles.length > 0) throw new UsageError(`${roles.at(-1)} is one word too many`);
  if (name === 'disable' || name === 'enable' || name === 'revoke-sessions') return { kind: name };
  throw new UsageError('say what to do: disable, enable, revoke-sessions, or roles');
}

function describeOutcome({ kind }: OperatorAction, { userId, changed, roles, sessionsEnded }: OperatorOutcome): string {
  const already = changed ? '' : ' already';
  if (kind === 'roles') return `${userId} has ${roles.length > 0 ? roles.join(', ') : 'no roles'}`;
  if (kind === 'enable') return `${userId} is enabled${already}`;
  const ended = `${sessionsEnded} session${sessionsEnded === 1 ? '' : 's'} ended`;
  return kind === 'disable' ? `${userId} is disabled${already}, ${ended}` : `${userId}: ${ended}`;
}
