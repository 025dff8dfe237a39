import './auth-config.ts';
import './continue-login.ts';
import './issue-access-token.ts';
import './log-in-with-password.ts';
import './log-out.ts';
import './refresh-session.ts';
import './sign-up.ts';
import './user.ts';
import { builder } from './builder.ts';

/** The schema, of every module above. */
export const schema = builder.toSchema();
