import { emailsOf, phoneOf } from '../flows/read-account.ts';
import { builder } from './builder.ts';
import { UserType } from './user.ts';

type UserEmail = Awaited<ReturnType<typeof emailsOf>>[number];
type UserPhone = NonNullable<Awaited<ReturnType<typeof phoneOf>>>;

export const UserEmailType = builder.objectRef<UserEmail>('UserEmail').implement({
  fields: (t) => ({
    id: t.exposeID('id'),
    email: t.exposeString('address'),
    verified: t.exposeBoolean('verified'),
    primary: t.exposeBoolean('isPrimary'),
  }),
});

export const UserPhoneType = builder.objectRef<UserPhone>('UserPhone').implement({
  fields: (t) => ({
    number: t.exposeString('number', { description: 'In E.164.' }),
    verified: t.exposeBoolean('verified'),
  }),
});

// Read when asked for: the rest of a person is in memory, and these change with every address that is tried.

builder.objectField(UserType, 'emails', (t) =>
  t.field({
    type: [UserEmailType],
    description: 'The primary address first.',
    resolve: (user, _args, { app }) => emailsOf(app, user),
  }),
);

builder.objectField(UserType, 'phone', (t) =>
  t.field({ type: UserPhoneType, nullable: true, resolve: (user, _args, { app }) => phoneOf(app, user) }),
);
