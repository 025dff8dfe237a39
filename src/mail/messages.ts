import { type Block, productName, writeMail } from './layout.ts';
import type {
  Brand,
  Delivered,
  MailData,
  MailKind,
  MailMessages,
  RenderedMail,
  SmsData,
  SmsKind,
  SmsMessages,
} from './message.ts';
import { securityNotice } from './notice.ts';
import { inWords, oneLine } from './words.ts';

/** The mails, as they are without an operator's replacement. */
export const mails: MailMessages = {
  VerifyEmail: (data, brand) =>
    writeMail(brand, 'Verify your email address', [
      {
        text: `Somebody, hopefully you, uses this address for an account at ${productName(brand)}. Please show that it is yours.`,
      },
      ...waysOn(data, 'Verify this address'),
      { footnote: 'If this was not you, ignore this mail: the address then stays unverified.' },
    ]),

  ConfirmEmail: (data, brand) =>
    writeMail(brand, 'Confirm your new email address', [
      { text: `Somebody, hopefully you, is adding this address to an account at ${productName(brand)}.` },
      ...waysOn(data, 'Confirm this address'),
      { footnote: 'If this was not you, ignore this mail: the address is then not added.' },
    ]),

  AccountExists: (_data, brand) =>
    writeMail(brand, 'You already have an account', [
      {
        text: `Somebody, perhaps you, tried to sign up for ${productName(brand)} with this address. It has an account already. Log in to it, or reset its password there if you no longer know it.`,
      },
      { link: brand.url, label: `Go to ${productName(brand)}` },
      { footnote: 'If this was not you, nothing has happened, and there is nothing to do.' },
    ]),

  EmailInUse: (_data, brand) =>
    writeMail(brand, 'This email address is in use', [
      {
        text: `Somebody, perhaps you, tried to add this address to an account at ${productName(brand)}. It belongs to another account already, and an address belongs to one account only. To move it, log in to the account that has it and remove it there first.`,
      },
      { link: brand.url, label: `Go to ${productName(brand)}` },
      { footnote: 'If this was not you, nothing has happened, and there is nothing to do.' },
    ]),

  LoginCode: (data, brand) =>
    writeMail(brand, data.code === null ? 'Login link' : 'Login code', [
      { text: `Somebody, hopefully you, wants to log in to ${productName(brand)} with this address.` },
      ...waysOn(data, 'Log in'),
      {
        footnote: data.afterPassword
          ? 'If this was not you, somebody else knows your password: choose another one at once. Without this mail they do not get in; never pass it on, whoever asks for it.'
          : 'If this was not you, ignore this mail: without it, nobody gets in this way. Never pass it on, whoever asks for it.',
      },
    ]),

  ResetPassword: (data, brand) =>
    writeMail(brand, 'Reset your password', [
      { text: `Somebody, hopefully you, wants to reset the password of your account at ${productName(brand)}.` },
      ...waysOn(data, 'Choose a new password'),
      {
        footnote:
          'If this was not you, ignore this mail: your password stays as it is. Never pass this mail on, whoever asks for it.',
      },
    ]),

  UnknownAccount: (_data, brand) =>
    writeMail(brand, 'No account with this address', [
      {
        text: `Somebody, perhaps you, wanted to log in to ${productName(brand)} or to reset a password with this address. There is no account with it. If you have an account, try another address of yours. If you have none, sign up.`,
      },
      { link: brand.url, label: `Go to ${productName(brand)}` },
      { footnote: 'If this was not you, nothing has happened, and there is nothing to do.' },
    ]),

  LinkAccountCode: ({ code, codeLifetime }, brand) =>
    writeMail(brand, 'Code to connect your account', [
      {
        text: `Somebody, hopefully you, logged in to ${productName(brand)} with another service that knows this address, and wants to get into your account that way from now on.`,
      },
      ...typedCode(code, codeLifetime),
      {
        footnote:
          'If this was not you, tell this code to nobody: without it nothing is connected. Somebody may have got into your account at that other service.',
      },
    ]),

  ReauthenticationCode: ({ code, codeLifetime }, brand) =>
    writeMail(brand, 'Code to confirm that it is you', [
      {
        text: `Somebody, hopefully you, is about to change something in your account at ${productName(brand)} that needs a proof.`,
      },
      ...typedCode(code, codeLifetime),
      {
        footnote:
          'If this was not you, somebody else may be in your account: tell this code to nobody, and reset your password at the address below.',
      },
    ]),

  SecurityNotice: securityNotice,

  Invitation: ({ link, linkLifetime }, brand) =>
    writeMail(brand, 'Your invitation', [
      {
        text: `You are invited to have an account at ${productName(brand)} with this address. Open this link to make it. It works once, for ${inWords(linkLifetime)}.`,
      },
      { link, label: 'Accept the invitation' },
      {
        footnote: 'If this was not expected, ignore this mail: without it there will be no account. Never pass it on.',
      },
    ]),

  AccountCreated: ({ link, linkLifetime }, brand) =>
    writeMail(brand, 'Your new account', [
      {
        text: `An account at ${productName(brand)} was made for you with this address. Open this link to choose its password. It works once, for ${inWords(linkLifetime)}.`,
      },
      { link, label: 'Choose a password' },
      {
        footnote: `If this was not expected, contact the support of ${productName(brand)}. Never pass this mail on.`,
      },
    ]),

  Goodbye: (_data, brand) =>
    writeMail(brand, 'Account deleted', [
      {
        text: `Your account at ${productName(brand)} was deleted. Nobody can log in to it any more, and this was its last mail. Goodbye!`,
      },
      {
        footnote: `If this was not you, contact the support of ${productName(brand)}, and make sure that nobody else can read this mailbox.`,
      },
    ]),
};

/** The text messages, as they are without an operator's replacement. */
export const texts: SmsMessages = {
  VerifyPhone: (data, brand) => codeText(data, `${productName(brand)} code`),
  LoginCode: (data, brand) => codeText(data, `${productName(brand)} login code`),
  ResetPassword: (data, brand) => codeText(data, `${productName(brand)} code to reset your password`),
  AccountExists: (_data, brand) =>
    `Somebody, perhaps you, tried to use this number for an account at ${productName(brand)}. It has one already: log in or reset its password.`,
  UnknownAccount: (_data, brand) =>
    `There is no ${productName(brand)} account with this number. Try another one, or sign up. If this was not you, ignore this message.`,
};

/** Writes a mail: the operator's, where one takes the place of ours. */
export function renderMail<K extends MailKind>(
  message: { readonly mail: K; readonly data: MailData[K] },
  brand: Brand,
  replaced: Partial<MailMessages> = {},
): RenderedMail {
  const write: MailMessages[K] = replaced[message.mail] ?? mails[message.mail];
  const mail = write(message.data, brand);
  if (![mail.subject, mail.text, mail.html].every(isWritten)) {
    throw new Error(`the mail ${message.mail} of the hooks is no { subject, text, html } with something in each`);
  }
  // A replacement may quote what somebody else chose.
  return { ...mail, subject: oneLine(mail.subject) };
}

/** Writes a text message: the operator's, where one takes the place of ours. */
export function renderText<K extends SmsKind>(
  message: { readonly sms: K; readonly data: SmsData[K] },
  brand: Brand,
  replaced: Partial<SmsMessages> = {},
): string {
  const write: SmsMessages[K] = replaced[message.sms] ?? texts[message.sms];
  const text = write(message.data, brand);
  if (!isWritten(text)) throw new Error(`the text message ${message.sms} of the hooks is no text`);
  return text;
}

// Hooks come from a file that nothing has type-checked.
function isWritten(text: unknown): boolean {
  return typeof text === 'string' && text.trim() !== '';
}

/** The code, if somebody waits for one, and the link that does the same. */
function waysOn({ code, codeLifetime, link, linkLifetime }: Delivered, label: string): readonly Block[] {
  const open = code === null ? 'Open this link.' : 'Or open this link.';
  const typed = code === null ? [] : typedCode(code, codeLifetime);
  if (link === null) return typed;
  return [...typed, { text: `${open} It works for ${inWords(linkLifetime)}.` }, { link, label }];
}

function typedCode(code: string, lifetime: number): readonly Block[] {
  return [{ text: `Type this code where you are asked for it. It works for ${inWords(lifetime)}.` }, { code }];
}

function codeText({ code, codeLifetime }: { code: string; codeLifetime: number }, what: string): string {
  return `${code} is your ${what}. It works for ${inWords(codeLifetime)}. Tell it to nobody.`;
}
