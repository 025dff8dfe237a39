import type { PromptOf, Stages } from '../stage.ts';
import { createPasskey } from './create-passkey.ts';
import { enrollFactor } from './enroll-factor.ts';
import { linkAccount } from './link-account.ts';
import { loginCode } from './login-code.ts';
import { replacePassword } from './replace-password.ts';
import { secondFactor } from './second-factor.ts';
import { signUpWithProvider } from './sign-up-with-provider.ts';
import { verifyEmail } from './verify-email.ts';
import { verifyPhone } from './verify-phone.ts';

/**
 * Every question that a login may have to answer, in order. Each way in meets all of them. Whoever knows no more than a
 * password must not be able to replace it: the second factor comes before.
 */
export const stages = {
  linkAccount,
  signUpWithProvider,
  loginCode,
  verifyPhone,
  verifyEmail,
  secondFactor,
  replacePassword,
  enrollFactor,
  createPasskey,
} as const satisfies Stages;

/** Every prompt that a login may stop at. */
export type LoginPrompt = PromptOf<typeof stages>;
