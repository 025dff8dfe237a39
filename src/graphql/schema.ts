import './account.ts';
import './auth-config.ts';
import './change-password.ts';
import './change-pending-email.ts';
import './continue-login.ts';
import './delete-account.ts';
import './issue-access-token.ts';
import './log-in-with-code.ts';
import './log-in-with-password.ts';
import './log-out.ts';
import './manage-emails.ts';
import './manage-phone.ts';
import './reauthenticate.ts';
import './refresh-session.ts';
import './replace-password.ts';
import './request-login-code.ts';
import './request-password-reset.ts';
import './resend-code.ts';
import './reset-password.ts';
import './sign-up.ts';
import './update-profile.ts';
import './user.ts';
import './verify-email.ts';
import './verify-phone.ts';
import { builder } from './builder.ts';

/** The schema, of every module above. */
export const schema = builder.toSchema();
