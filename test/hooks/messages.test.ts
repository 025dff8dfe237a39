import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import type { HookCode, MailMessage, TextMessage } from '../../src/hooks.ts';
import { newPhone } from '../support/account.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { faultsIn } from '../support/hooks.ts';
import { hold, LOG_IN_WITH_CODE, newPerson, REQUEST_LOGIN_CODE, RESEND_CODE, signUp } from '../support/people.ts';

let gateway: Gateway;
let makeCode: (asked: HookCode) => unknown;
let failing: 'sendMail' | 'sendSms' | 'mails' | 'texts' | null = null;
const mails: MailMessage[] = [];
const sms: TextMessage[] = [];
const asked: HookCode[] = [];
let codes = 0;
const nextCode = () => {
  codes += 1;
  return `A${String(100_000 + codes)}`;
};
/** What goes wrong quotes what it was told, as clients of HTTP APIs do. */
const failIf = (hook: typeof failing, told: unknown) => {
  if (failing === hook) throw new TypeError(`400 for\n${JSON.stringify(told)}: no such recipient`);
};
beforeAll(async () => {
  gateway = await startGateway({
    env: {
      POSTERN_LOGIN_IDENTIFIERS: 'email,phone',
      POSTERN_RATE_LIMITS: 'off',
      POSTERN_MAIL_FROM: 'Us <us@example.com>',
    },
    hooks: {
      generateCode: (about) => {
        asked.push(about);
        return makeCode(about) as string;
      },
      sendMail: async (message) => {
        failIf('sendMail', message);
        mails.push(message);
      },
      sendSms: async (message) => {
        failIf('sendSms', message);
        sms.push(message);
      },
      mails: {
        LoginCode: (data) => {
          failIf('mails', data);
          return { subject: 'Code', text: `code ${data.code} at ${data.link}`, html: '<p>code</p>' };
        },
      },
      texts: {
        LoginCode: (data) => {
          failIf('texts', data);
          return `Our code: ${data.code}`;
        },
      },
    },
  });
});
afterAll(() => gateway.stop());
beforeEach(() => {
  makeCode = nextCode;
  failing = null;
  asked.length = 0;
});

const requestCode = (input: object, client = gateway.client()) => client.send(REQUEST_LOGIN_CODE, { input });

async function until<R>(look: () => Promise<R | undefined>): Promise<R> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(10);
  }
  throw new Error('it did not come');
}

function arrived<M extends { readonly to: string }>(box: readonly M[], to: string): Promise<M> {
  return until(async () => box.find((each) => each.to === to));
}

async function member() {
  const person = newPerson();
  await signUp(gateway.client(), person);
  return person;
}

describe('generateCode', () => {
  test('makes the code of a message, which is typed as any', async () => {
    const person = await member();
    const client = gateway.client();
    const { result } = await requestCode({ email: person.email }, client);
    expect(asked.at(-1)).toEqual({ purpose: 'LOGIN_CODE', channel: 'EMAIL' });
    const { text } = await arrived(mails, person.email);
    const code = /code (\S+)/.exec(text)?.[1] ?? '';
    expect(code).toBe(`A${100_000 + codes}`);
    const typed = ` ${code.toLowerCase().replace(/(...)/g, '$1-')} `;
    hold(
      client,
      await client.send(LOG_IN_WITH_CODE, { input: { proof: { code: { handle: result.loginToken, code: typed } } } }),
    );
  });

  test('is asked for what nobody can answer as well, and when it is sent again', async () => {
    const { result } = await requestCode({ email: newPerson().email });
    await requestCode({ phone: newPhone() });
    gateway.clock.advance(31_000);
    await gateway.client().send(RESEND_CODE, { input: { handle: result.loginToken } });
    expect(asked.slice(-3)).toEqual([
      { purpose: 'LOGIN_CODE', channel: 'EMAIL' },
      { purpose: 'LOGIN_CODE', channel: 'SMS' },
      { purpose: 'LOGIN_CODE', channel: 'EMAIL' },
    ]);
  });

  // Defence: isOwnCode in src/lib/user-code.ts, neverTwice in src/hooks/guard.ts.
  test.each([
    ['too short', () => `A${String(codes++).padStart(4, '0')}`],
    ['of small letters', () => `a${String(codes++).padStart(6, '0')}`],
    ['with a dash', () => `A-${String(codes++).padStart(6, '0')}`],
    ['too long', () => String(codes++).padStart(17, '0')],
    ['of another script', () => `١${String(codes++).padStart(6, '0')}`],
    ['a number', () => 100_000 + codes++],
    ['always the same', () => '314159'],
    ['empty', () => ''],
    ['none', () => undefined],
  ])('one that is %s is sent to nobody', async (_how, make) => {
    const person = await member();
    makeCode = make;
    const [logged, sent] = [gateway.logs.length, mails.length];
    // The first of a kind may have been made before.
    const answers = [await requestCode({ email: person.email }), await requestCode({ email: newPerson().email })];
    expect(answers.at(-1)).toMatchObject({ status: 503, errors: [{ extensions: { code: 'UNAVAILABLE' } }] });
    expect(faultsIn(gateway, logged).at(-1)).toMatch(/^the hook generateCode gave /);
    if (answers[0]?.status === 503) expect(mails.slice(sent).filter(({ to }) => to === person.email)).toEqual([]);
  });
});

describe('sendMail', () => {
  test('gets each mail, ready to be sent, in the place of the mail server', async () => {
    const { email } = await member();
    await requestCode({ email });
    expect(await arrived(mails, email)).toEqual({
      to: email,
      from: 'Us <us@example.com>',
      subject: 'Code',
      text: expect.stringContaining('code A'),
      html: '<p>code</p>',
      id: expect.stringMatching(/^[\w-]{20,}$/),
    });
    expect(gateway.mails.all).toEqual([]);
  });

  test('without it production needs a mail server', () => {
    const env = { NODE_ENV: 'production' };
    const problems = (hooks: object) => {
      try {
        return String(loadConfig(env, { hooks }));
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(problems({})).toContain('POSTERN_SMTP_URL is needed');
    expect(problems({ sendMail: async () => undefined })).not.toContain('POSTERN_SMTP_URL');
  });
});

describe('sendSms', () => {
  test('gets each text message, ready to be sent', async () => {
    const phone = newPhone();
    await requestCode({ phone });
    expect(await arrived(sms, phone)).toEqual({ to: phone, text: expect.stringContaining('no Postern account') });
  });
});

// Defence: wordsFor in src/hooks/guard.ts. Stored beside the job is the kind of the error alone.
describe.each(['sendMail', 'sendSms', 'mails', 'texts'] as const)('%s', (hook) => {
  test('one that fails is named in the log without what it was told, and is tried again with the same id', async () => {
    const byMail = hook === 'sendMail' || hook === 'mails';
    const [{ email }, phone] = [await member(), newPhone()];
    if (!byMail) {
      const { userId } = await signUp(gateway.client(), newPerson());
      await gateway.sql(`INSERT INTO phones (user_id, number, created_at, verified_at) VALUES ($1, $2, now(), now())`, [
        userId,
        phone,
      ]);
    }
    failing = hook;
    const logged = gateway.logs.length;
    expect((await requestCode(byMail ? { email } : { phone })).result.__typename).toBe('LoginCodeRequired');
    const name = hook === 'mails' || hook === 'texts' ? `${hook}.LoginCode` : hook;
    const fault = await until(async () => faultsIn(gateway, logged)[0]);
    expect(fault).toMatch(new RegExp(`^the hook ${name.replace('.', '\\.')} failed: 400 for .*: no such recipient$`));
    const lines = gateway.logs.slice(logged).join();
    expect(lines).not.toContain(`A${100_000 + codes}`);
    expect(lines).not.toMatch(/pk_\w/);
    const stored = await until(async () => {
      const rows = await gateway.sql<{ last_error: string }>(
        `SELECT last_error FROM graphile_worker.jobs WHERE last_error IS NOT NULL`,
      );
      return rows[0]?.last_error;
    });
    expect(stored.split('\n')[0]).toContain('HookFailed HOOK_FAILED');
    failing = null;
    const message = await arrived<{ readonly to: string; readonly text: string }>(
      byMail ? mails : sms,
      byMail ? email : phone,
    );
    expect(message.text).toContain(`A${100_000 + codes}`);
  });
});

describe('mails', () => {
  test('take the place of mails, by name', async () => {
    const { email } = await member();
    await requestCode({ email });
    expect((await arrived(mails, email)).subject).toBe('Code');
  });
});

describe('texts', () => {
  test('take the place of text messages, by name', async () => {
    const [phone, { userId }] = [newPhone(), await signUp(gateway.client(), newPerson())];
    await gateway.sql(`INSERT INTO phones (user_id, number, created_at, verified_at) VALUES ($1, $2, now(), now())`, [
      userId,
      phone,
    ]);
    await requestCode({ phone });
    expect((await arrived(sms, phone)).text).toMatch(/^Our code: A\d{6}$/);
  });
});
