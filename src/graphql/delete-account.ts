import { type AccountDeleted, type DeleteAccountResult, deleteAccount } from '../flows/delete-account.ts';
import type { ReauthenticationRequired } from '../flows/shared/outcomes.ts';
import { builder } from './builder.ts';
import { freshlySignedIn } from './guard.ts';
import { LastAdministratorType, ReauthenticationRequiredType, UnauthenticatedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const AccountDeletedType = builder.objectRef<AccountDeleted>('AccountDeleted').implement({
  fields: (t) => ({ userId: t.exposeID('userId') }),
});

const DeleteAccountResultType = resultUnion<DeleteAccountResult | ReauthenticationRequired>()('DeleteAccountResult', {
  AccountDeleted: AccountDeletedType,
  LastAdministrator: LastAdministratorType,
  ReauthenticationRequired: ReauthenticationRequiredType,
  Unauthenticated: UnauthenticatedType,
});

builder.mutationField('deleteAccount', (t) =>
  t.field({
    type: DeleteAccountResultType,
    description: 'Removes the person and everything that is theirs, for good, and ends every session of theirs.',
    resolve: (_root, _args, context) =>
      freshlySignedIn(context, async (viewer) => {
        const gone = await deleteAccount(context.app, context.caller, viewer);
        if (gone.kind !== 'LastAdministrator') context.answer.releaseSession();
        return gone;
      }),
  }),
);
