import type { Config } from '../config.ts';
import { type LinkTemplate, linkWith } from '../lib/link-template.ts';
import { showCode } from '../lib/user-code.ts';
import type { Challenge, ChallengePurpose, Secrets } from '../records/challenges.ts';
import { CODE_LIFETIME_MS, LINK_LIFETIME_MS } from '../records/challenges.ts';
import type { Delivered, MailKind, Message } from './message.ts';

/** The mails that carry both a code and a link, the link of each, and what a stranger's mailbox gets instead. */
const MAILS = {
  VERIFY_EMAIL: { mail: 'VerifyEmail', link: 'verifyEmail', stranger: 'AccountExists' },
  CONFIRM_EMAIL: { mail: 'ConfirmEmail', link: 'confirmEmailChange', stranger: 'EmailInUse' },
  LOGIN_CODE: { mail: 'LoginCode', link: 'logIn', stranger: 'UnknownAccount' },
  RESET_PASSWORD: { mail: 'ResetPassword', link: 'resetPassword', stranger: 'UnknownAccount' },
} as const satisfies Partial<
  Record<ChallengePurpose, { mail: MailKind; link: keyof Config['links']; stranger: MailKind }>
>;

/** The text messages of a purpose, and what a stranger's number gets instead. */
const TEXTS = {
  VERIFY_PHONE: { sms: 'VerifyPhone', stranger: 'AccountExists' },
  LOGIN_CODE: { sms: 'LoginCode', stranger: 'UnknownAccount' },
  RESET_PASSWORD: { sms: 'ResetPassword', stranger: 'UnknownAccount' },
} as const;

/** How a challenge is delivered: for the first time to this destination or again, with a code or by its link alone. */
interface Delivery {
  readonly first: boolean;
  readonly linkOnly?: boolean;
  /** Whether the login that it is for has shown the password already. */
  readonly afterPassword?: boolean;
  /** Whether the one whom a stranger names was told before, and not long ago. */
  readonly told?: boolean;
}

/**
 * The message that delivers a challenge. One that nobody can answer tells the mailbox or number what is the matter,
 * once, instead of a code.
 * @returns null where nothing is to be said
 */
export function messageOf(challenge: Challenge, secrets: Secrets, config: Config, how: Delivery): Message | null {
  return challenge.channel === 'SMS'
    ? textOf(challenge, secrets, config, how)
    : mailOf(challenge, secrets, config, how);
}

function mailOf(challenge: Challenge, secrets: Secrets, config: Config, how: Delivery): Message | null {
  const { purpose, destination, userId } = challenge;
  const to = { email: destination };
  const code = showCode(secrets.code);
  if (purpose === 'REAUTHENTICATE')
    return { mail: 'ReauthenticationCode', to, data: { code, codeLifetime: CODE_LIFETIME_MS } };
  if (purpose === 'LINK_ACCOUNT')
    return { mail: 'LinkAccountCode', to, data: { code, codeLifetime: CODE_LIFETIME_MS } };
  if (purpose === 'VERIFY_PHONE') return null;
  const { mail, link, stranger } = MAILS[purpose];
  if (userId === null) {
    const tells = how.first && !how.told && (stranger !== 'UnknownAccount' || config.mailUnknownAccounts);
    return tells ? { mail: stranger, to, data: {} } : null;
  }
  const template: LinkTemplate = config.links[link];
  const data: Delivered = {
    code: how.linkOnly ? null : code,
    codeLifetime: CODE_LIFETIME_MS,
    link: secrets.link === null ? null : linkWith(template, secrets.link),
    linkLifetime: LINK_LIFETIME_MS[purpose],
  };
  return mail === 'LoginCode'
    ? { mail, to, data: { ...data, afterPassword: how.afterPassword ?? false } }
    : { mail, to, data };
}

function textOf(challenge: Challenge, secrets: Secrets, config: Config, how: Delivery): Message | null {
  const { purpose, destination, userId } = challenge;
  const to = { phone: destination };
  if (!(purpose in TEXTS) || destination === '') return null;
  const { sms, stranger } = TEXTS[purpose as keyof typeof TEXTS];
  if (userId === null) {
    const tells = how.first && !how.told && (stranger !== 'UnknownAccount' || config.mailUnknownAccounts);
    return tells ? { sms: stranger, to, data: {} } : null;
  }
  return {
    sms,
    to,
    data: { code: showCode(secrets.code), codeLifetime: CODE_LIFETIME_MS },
  };
}
