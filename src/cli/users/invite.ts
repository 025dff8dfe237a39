import { invite } from '../../administration/invitations.ts';
import { asOperator } from '../../operator.ts';
import { type Given, print } from '../command.ts';
import { operatorPartsOf, withExistingDatabase } from '../database.ts';
import { readAddress, readRoles } from './create.ts';

/** Has the gateway mail an invitation. Its token is shown to nobody here: who has it has shown that the mailbox is theirs. */
export function inviteUser(given: Given, address: string): Promise<undefined> {
  const [email, roles] = [readAddress(address), readRoles(given)];
  return withExistingDatabase(async (database, config) => {
    if (config.signUp === 'closed')
      throw new Error('Signing up is closed. See POSTERN_SIGN_UP, or create the account.');
    const parts = await operatorPartsOf(config, database);
    const invited = await asOperator(parts, new Date(), (act) => invite(act, { email, roles }));
    if (invited.kind === 'taken') throw new Error(`${address} has an account.`);
    const { id, expiresAt } = invited.invitation;
    print(given, { invitationId: id, email, roles, expiresAt }, [
      `${email} is invited until ${expiresAt.toISOString()}; a running gateway sends the mail`,
    ]);
    return undefined;
  });
}
