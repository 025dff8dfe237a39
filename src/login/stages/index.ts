import type { PromptOf, Stages } from '../stage.ts';
import { loginCode } from './login-code.ts';
import { replacePassword } from './replace-password.ts';
import { verifyEmail } from './verify-email.ts';
import { verifyPhone } from './verify-phone.ts';

/** Every question that a login may have to answer, in order. Each way in meets all of them. */
export const stages = { loginCode, verifyPhone, verifyEmail, replacePassword } as const satisfies Stages;

/** Every prompt that a login may stop at. */
export type LoginPrompt = PromptOf<typeof stages>;
