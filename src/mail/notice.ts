import { type Block, productName, writeMail } from './layout.ts';
import type { Brand, Notice, RenderedMail } from './message.ts';
import { deviceName, inert, instantInWords, networkAddress } from './words.ts';

interface Wording {
  readonly subject: string;
  /** What happened, in a sentence. */
  readonly happened: (product: string, subject: string | null) => string;
  /** What to do where a new password alone does not bring the account back. */
  readonly shutOut?: string;
  /** Whether it was no act of whoever is in the account, so that there is no device to be told. */
  readonly byAdministrator?: true;
}

const LOST_ADDRESS = 'If that no longer works with this address, contact support right away.';
const STRANGE_FACTOR =
  'Logging in will then still ask for what was added here. If you cannot remove it, contact support right away.';
const OTHERS_ENDED = 'All other devices were logged out.';

const WORDING: Readonly<Record<Notice['change'], Wording>> = {
  NEW_DEVICE: {
    subject: 'New login to your account',
    happened: (product) =>
      `Somebody logged in to your account at ${product} from a device or network that was not seen there before.`,
  },
  PASSWORD_SET: {
    subject: 'Your account has a password now',
    happened: (product) => `A password was set for your account at ${product}, which had none.`,
  },
  PASSWORD_CHANGED: {
    subject: 'Your password was changed',
    happened: (product) => `The password of your account at ${product} was changed.`,
  },
  PASSWORD_RESET: {
    subject: 'Your password was reset',
    happened: (product) =>
      `The password of your account at ${product} was reset by a mail or text message to you. All devices were logged out.`,
  },
  ACCOUNT_RECLAIMED: {
    subject: 'Your account was secured',
    happened: (product) =>
      `Somebody with access to this mailbox proved for the first time that it belongs to your account at ${product}. What had been set up in the account before that was removed: its password, its sessions and its other ways to log in.`,
  },
  EMAIL_ADDED: {
    subject: 'Email address added to your account',
    happened: (product, address) =>
      `${named('The email address', address, 'An email address')} was added to your account at ${product}.`,
  },
  EMAIL_REMOVED: {
    subject: 'Email address removed from your account',
    happened: (product, address) =>
      `${named('The email address', address, 'An email address')} was removed from your account at ${product}.`,
    shutOut: LOST_ADDRESS,
  },
  PRIMARY_EMAIL_CHANGED: {
    subject: 'Main email address of your account changed',
    happened: (product, address) =>
      `The main email address of your account at ${product} ${address ? `is now ${address}` : 'was changed'}.`,
    shutOut: LOST_ADDRESS,
  },
  PHONE_CHANGED: {
    subject: 'Phone number of your account changed',
    happened: (product, number) =>
      `The phone number of your account at ${product} ${number ? `is now ${number}` : 'was changed'}.`,
  },
  PHONE_REMOVED: {
    subject: 'Phone number removed from your account',
    happened: (product, number) =>
      `${named('The phone number', number, 'The phone number')} was removed from your account at ${product}.`,
  },
  USERNAME_CHANGED: {
    subject: 'Username of your account changed',
    happened: (product, username) =>
      `The username of your account at ${product} ${username ? `is now ${username}` : 'was removed'}.`,
  },
  MFA_ENABLED: {
    subject: 'Your account has a second factor now',
    happened: (product, factor) =>
      `Logging in to your account at ${product} now asks for a second factor: ${factor ?? 'one'} was added. ${OTHERS_ENDED}`,
    shutOut: STRANGE_FACTOR,
  },
  MFA_DISABLED: {
    subject: 'Your account has no second factor any more',
    happened: (product, factor) =>
      `The last second factor of your account at ${product} was removed: ${factor ?? 'it'}. Logging in does not ask for one any more. ${OTHERS_ENDED}`,
  },
  MFA_ATTEMPTS_EXHAUSTED: {
    subject: 'Somebody almost logged in to your account',
    happened: (product) =>
      `A login to your account at ${product} got as far as your second factor, and was ended there after too many wrong answers. If it was not yours, somebody else has your password, or reads what is sent to you.`,
  },
  AUTHENTICATOR_ADDED: {
    subject: 'Way to log in added to your account',
    happened: (product, factor) => `Your account at ${product} got another second factor: ${factor ?? 'one'}.`,
    shutOut: STRANGE_FACTOR,
  },
  AUTHENTICATOR_REMOVED: {
    subject: 'Way to log in removed from your account',
    happened: (product, factor) =>
      `A way to show a second factor was removed from your account at ${product}: ${factor ?? 'one'}. ${OTHERS_ENDED}`,
  },
  AUTHENTICATOR_DISABLED: {
    subject: 'A second factor of your account was blocked',
    happened: (product, factor) =>
      `There were too many wrong answers for a second factor of your account at ${product}: ${factor ?? 'one'}. It is blocked until you use a recovery code, or, if you have none, until support helps you. Whoever tried got past your password, or another first step.`,
  },
  PASSKEY_COPIED: {
    subject: 'A passkey of your account was refused',
    happened: (product) =>
      `A passkey of your account at ${product} was refused, because it had signed less often than before: there may be a copy of it. Remove it if you do not know why.`,
  },
  RECOVERY_CODE_USED: {
    subject: 'A recovery code of your account was used',
    happened: (product, unused) =>
      `A recovery code of your account at ${product} was used; ${codesLeft(Number(unused ?? 0))}`,
  },
  PROVIDER_CONNECTED: {
    subject: 'A way to log in was added to your account',
    happened: (product, connection) =>
      `Your account at ${product} was connected with ${connection ?? 'another service'}, which logs in to it now.`,
  },
  PROVIDER_DISCONNECTED: {
    subject: 'A way to log in was taken from your account',
    happened: (product, connection) =>
      `Your account at ${product} is not connected with ${connection ?? 'another service'} any more.`,
  },
  PASSWORD_CHANGE_DEMANDED: {
    subject: 'Your password has to be changed',
    happened: (product) =>
      `An administrator of ${product} asks for another password of your account: you choose it at your next login. All devices were logged out.`,
    byAdministrator: true,
  },
  FACTORS_RESET: {
    subject: 'Your second factors were removed',
    happened: (product, factors) =>
      `An administrator of ${product} removed the second factors of your account${factors ? `: ${factors}` : ''}. All devices were logged out. After your next login, set up a second factor again.`,
    byAdministrator: true,
  },
  RECOVERY_CODES_GENERATED: {
    subject: 'Your recovery codes were replaced',
    happened: (product) =>
      `New recovery codes were made for your account at ${product}. The old ones do not work any more.`,
  },
};

function codesLeft(unused: number): string {
  const left = unused === 0 ? 'none is left.' : unused === 1 ? 'one is left.' : `${unused} are left.`;
  return unused > 3 ? left : `${left} Make new ones where you manage your account.`;
}

function named(what: string, which: string | null, without: string): string {
  return which ? `${what} ${which}` : without;
}

/** The mail that tells somebody of a change of their account, and the way out if it was not theirs. */
export function securityNotice(notice: Notice, brand: Brand): RenderedMail {
  const { subject, happened, shutOut, byAdministrator } = WORDING[notice.change];
  const product = productName(brand);
  const more: readonly Block[] = shutOut === undefined ? [] : [{ text: shutOut }];
  const what = { text: happened(product, notice.subject === undefined ? null : inert(notice.subject)) };
  const when = { When: instantInWords(notice.at) };
  if (byAdministrator) {
    return writeMail(brand, subject, [
      what,
      { details: when },
      {
        footnote: `If this was not asked for by you, and you do not know why it was done, contact the support of ${product}.`,
      },
    ]);
  }
  return writeMail(brand, subject, [
    what,
    {
      details: {
        ...when,
        'From the network address': networkAddress(notice.ipAddress),
        'Device, as it calls itself': deviceName(notice.userAgent),
      },
    },
    {
      text: 'If this was you, there is nothing to do. If it was not, somebody else may be in your account: reset your password at once.',
    },
    { link: brand.url, label: `Reset your password at ${product}` },
    ...more,
    { footnote: `If you need help, contact the support of ${product}.` },
  ]);
}
