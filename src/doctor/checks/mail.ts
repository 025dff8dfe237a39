import { randomUUID } from 'node:crypto';
import { createSmtpMailer, greetMailServer, isOwnMailServer } from '../../infra/mailer.ts';
import { domainOf } from '../../lib/email-address.ts';
import { type Check, failed, ok, skipped, warning } from '../check.ts';
import { reasonOf } from '../reason.ts';

export const mail: Check = {
  title: 'mails are sent, by a server that can be reached and encrypts',
  settings: ['POSTERN_SMTP_URL', 'POSTERN_MAIL_FROM'],
  async run({
    config: {
      mail: { smtpUrl, from },
    },
  }) {
    if (smtpUrl === null) return failed('mails are not sent, but shown at /outbox', 'POSTERN_SMTP_URL');
    const sender = domainOf(/<([^<>]+)>\s*$/.exec(from)?.[1] ?? from);
    if (!sender.includes('.')) return failed(`no mail server takes mails from ${sender}`, 'POSTERN_MAIL_FROM');
    try {
      const { encrypted } = await greetMailServer(smtpUrl);
      if (isOwnMailServer(smtpUrl)) return ok('the mail server of this machine answers');
      if (!encrypted)
        return warning('the mail server takes mails unencrypted, with the codes in them', 'POSTERN_SMTP_URL=smtps://…');
      return /rejectUnauthorized/i.test(smtpUrl)
        ? warning(
            'the mail server is believed to be whoever it says it is',
            'POSTERN_SMTP_URL, without rejectUnauthorized',
          )
        : ok('the mail server answers, and what goes there is encrypted');
    } catch (error) {
      return failed(`the mail server does not take mails: ${reasonOf(error)}`, 'POSTERN_SMTP_URL');
    }
  },
};

export const testMail: Check = {
  title: 'a mail gets through',
  settings: [],
  async run({ config: { mail: settings, publicUrl }, testMailTo, clock }) {
    if (testMailTo === null) return skipped('none was asked for; --send-test-mail ADDRESS sends one');
    if (settings.smtpUrl === null) return failed('there is no mail server to send it', 'POSTERN_SMTP_URL');
    const text = `This is a test, sent by \`postern doctor\` for ${publicUrl} at ${clock().toISOString()}.`;
    const mailer = createSmtpMailer({ url: settings.smtpUrl, from: settings.from });
    try {
      const html = `<p>${text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)}</p>`;
      await mailer.send({
        to: testMailTo,
        subject: `${settings.product}: a test`,
        text,
        html,
        id: `doctor-${randomUUID()}`,
      });
      return ok(`one to ${testMailTo} was taken; see that it came, and not among the junk`);
    } catch (error) {
      return failed(`the mail server refused it: ${reasonOf(error)}`, 'POSTERN_SMTP_URL, POSTERN_MAIL_FROM');
    } finally {
      await mailer.close();
    }
  },
};
