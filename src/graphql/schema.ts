import './account.ts';
import './accounts.ts';
import './administer-user.ts';
import './auth-config.ts';
import './authenticators.ts';
import './change-password.ts';
import './change-pending-email.ts';
import './complete-provider-sign-up.ts';
import './connect-provider.ts';
import './continue-login.ts';
import './create-user.ts';
import './delete-account.ts';
import './federation.ts';
import './invite-user.ts';
import './issue-access-token.ts';
import './log-in-with-code.ts';
import './log-in-with-passkey.ts';
import './link-account.ts';
import './log-in-with-password.ts';
import './log-in-with-provider.ts';
import './log-out.ts';
import './manage-authenticators.ts';
import './manage-emails.ts';
import './manage-passkeys.ts';
import './manage-phone.ts';
import './manage-sessions.ts';
import './manage-totp.ts';
import './reauthenticate.ts';
import './refresh-session.ts';
import './renew-connection.ts';
import './replace-password.ts';
import './request-login-code.ts';
import './request-password-reset.ts';
import './resend-code.ts';
import './reset-password.ts';
import './security-events.ts';
import './session-events.ts';
import './sign-up.ts';
import './update-profile.ts';
import './user.ts';
import './verify-email.ts';
import './verify-mfa.ts';
import './verify-phone.ts';
import type { GraphQLSchema } from 'graphql';
import type { UserFields } from '../lib/user-fields/declaration.ts';
import { builder } from './builder.ts';
import { extendByUserFields } from './user-fields.ts';

/** The schema, of every module above: what there is where an operator declares no fields of their own. */
export const schema = builder.toSchema();

const schemas = new WeakMap<UserFields, GraphQLSchema>();

/** The schema with the operator's own fields. Built once for each declaration. */
export function schemaWith(fields: UserFields): GraphQLSchema {
  if (fields.length === 0) return schema;
  const built = schemas.get(fields) ?? extendByUserFields(schema, fields);
  schemas.set(fields, built);
  return built;
}
