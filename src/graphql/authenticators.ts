import { factorNames, factors } from '../factors/index.ts';
import { isPasswordless } from '../factors/passkey.ts';
import { countRecoveryCodes } from '../factors/recovery-code.ts';
import { authenticatorsOf } from '../flows/manage-authenticators.ts';
import type { Authenticator } from '../records/authenticators.ts';
import { builder } from './builder.ts';
import { UserType } from './user.ts';

/** What a person holds of a factor. What answers with it can be checked by is not a part of it. */
export const AuthenticatorType = builder.interfaceRef<Authenticator>('Authenticator').implement({
  fields: (t) => ({
    id: t.exposeID('id'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    lastUsedAt: t.expose('lastUsedAt', { type: 'DateTime', nullable: true }),
  }),
  resolveType: ({ kind }) => factors[kind as keyof typeof factors].type,
});

export const PasskeyType = builder.objectRef<Authenticator>('Passkey').implement({
  interfaces: [AuthenticatorType],
  fields: (t) => ({
    name: t.string({ resolve: ({ name }) => name ?? '' }),
    passwordless: t.boolean({
      description: 'Whether it can log in by itself: it was made with user verification and stays on the device.',
      resolve: (passkey) => isPasswordless(passkey),
    }),
    backedUp: t.boolean({ resolve: ({ data }) => data.backedUp === true }),
  }),
});

const RecoveryCodesType = builder.objectRef<Authenticator>('RecoveryCodes').implement({
  interfaces: [AuthenticatorType],
  fields: (t) => ({
    total: t.int({ resolve: (codes) => countRecoveryCodes(codes).total }),
    unused: t.int({ resolve: (codes) => countRecoveryCodes(codes).unused }),
  }),
});

/** Of these there is more to say than that they are there. */
const described = new Set([PasskeyType.name, RecoveryCodesType.name]);

/** The other factors of the registry have nothing of their own to tell. */
const plain = new Map(
  factorNames
    .map((name) => factors[name].type)
    .filter((type) => !described.has(type))
    .map((type) => [type, builder.objectRef<Authenticator>(type).implement({ interfaces: [AuthenticatorType] })]),
);

export const TotpAuthenticatorType = plain.get('TotpAuthenticator') ?? PasskeyType;

builder.objectField(UserType, 'authenticators', (t) =>
  t.field({
    type: [AuthenticatorType],
    description: 'What this person holds of further factors, the oldest first.',
    resolve: async (user, _args, { app }) =>
      (await authenticatorsOf(app, user)).filter(({ kind }) => Object.hasOwn(factors, kind)),
  }),
);
