import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSmtpMailer, type Mailer, type OutgoingMail } from '../../src/infra/mailer.ts';
import { createOutbox } from '../../src/infra/outbox.ts';

interface Received {
  readonly from: string;
  readonly to: readonly string[];
  readonly source: string;
  readonly mail: ParsedMail;
}

const FROM = 'Ada & Söhne <no-reply@auth.example.com>';
const mail: OutgoingMail = {
  to: 'ada@example.com',
  subject: 'Grüße: your code',
  text: 'Hello\n\nBCDF-GHJK\n',
  html: '<p>Hello</p><p><b>BCDF-GHJK</b></p>',
  id: 'job-17',
};

let smtp: SMTPServer;
let url: string;
let received: Received[] = [];
let refuse: string | null = null;
let connections = 0;
let mailer: Mailer;

beforeAll(async () => {
  smtp = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    onConnect: (_session, done) => {
      connections += 1;
      done();
    },
    onRcptTo: (_address, _session, done) => done(refuse ? new Error(refuse) : null),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', async () => {
        const source = Buffer.concat(chunks).toString('utf8');
        const { mailFrom, rcptTo } = session.envelope;
        received.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          source,
          mail: await simpleParser(source),
        });
        done();
      });
    },
  });
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', () => resolve()));
  url = `smtp://127.0.0.1:${(smtp.server.address() as AddressInfo).port}`;
  mailer = createSmtpMailer({ url, from: FROM });
});
afterAll(async () => {
  await mailer.close();
  await new Promise<void>((resolve) => smtp.close(() => resolve()));
});
beforeEach(() => {
  received = [];
  refuse = null;
});

const headersOf = ({ source }: Received) => source.slice(0, source.indexOf('\r\n\r\n'));

describe('mails over SMTP', () => {
  test('arrive as text and as HTML, from the sender, to the recipient', async () => {
    await mailer.send(mail);
    const [one] = received;
    expect(one).toMatchObject({ from: 'no-reply@auth.example.com', to: ['ada@example.com'] });
    expect(one?.mail.from?.value).toEqual([{ name: 'Ada & Söhne', address: 'no-reply@auth.example.com' }]);
    expect(one?.mail.subject).toBe(mail.subject);
    expect(one?.mail.text?.trim()).toBe(mail.text.trim());
    expect(one?.mail.html).toBe(mail.html);
    expect(one?.mail.headers.get('auto-submitted')).toBe('auto-generated');
    expect(one?.mail.headers.has('x-mailer')).toBe(false);
  });

  test('carry the same Message-ID however often they are sent, and another one each', async () => {
    await mailer.send(mail);
    await mailer.send(mail);
    await mailer.send({ ...mail, id: 'job-18' });
    const ids = received.map((each) => each.mail.messageId);
    expect(ids).toEqual(['<job-17@auth.example.com>', '<job-17@auth.example.com>', '<job-18@auth.example.com>']);
  });

  test('share a connection', async () => {
    const before = connections;
    for (let n = 0; n < 5; n += 1) await mailer.send(mail);
    expect(received).toHaveLength(5);
    expect(connections - before).toBeLessThanOrEqual(1);
  });

  test('are told to be refused, and what was refused can be sent again', async () => {
    refuse = 'no such mailbox';
    await expect(mailer.send(mail)).rejects.toThrow('no such mailbox');
    refuse = null;
    await mailer.send(mail);
    expect(received).toHaveLength(1);
  });

  const senders: [text: string, name: string, address: string][] = [
    ['no-reply@example.com', '', 'no-reply@example.com'],
    ['Postern <no-reply@localhost>', 'Postern', 'no-reply@localhost'],
    ['"Ada, Bob & Co" <a@b.example>', 'Ada, Bob & Co', 'a@b.example'],
  ];
  test.each(senders)('the sender may be written %s', async (from, name, address) => {
    const one = createSmtpMailer({ url, from });
    await one.send(mail);
    await one.close();
    expect(received[0]?.mail.from?.value).toEqual([{ name, address }]);
  });

  test.each(['', 'Postern', 'a@b.example, c@d.example', 'Ada <a@b.example>\r\nBcc: e@f.example'])(
    'a sender that is none is refused at the start: %j',
    (from) => {
      expect(() => createSmtpMailer({ url, from })).toThrow('is no sender');
    },
  );
});

describe('a mail server that is down', () => {
  test('is told at once if nobody listens', async () => {
    const lost = createSmtpMailer({ url: 'smtp://127.0.0.1:1', from: FROM });
    await expect(lost.send(mail)).rejects.toThrow('ECONNREFUSED');
    await lost.close();
  });

  test('is told in time if it takes connections and says nothing', async () => {
    const silent: Server = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', () => resolve()));
    const lost = createSmtpMailer({
      url: `smtp://127.0.0.1:${(silent.address() as AddressInfo).port}`,
      from: FROM,
    });
    const begun = performance.now();
    await expect(lost.send(mail)).rejects.toThrow();
    expect(performance.now() - begun).toBeLessThan(12_000);
    await lost.close();
    silent.close();
  });

  test('gets no password if it offers no TLS, unless it is on this machine [requireTLS]', async () => {
    const passwords: (string | null | undefined)[] = [];
    const plain = new SMTPServer({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: ({ password }, _session, done) => {
        passwords.push(password);
        done(null, { user: 'ada' });
      },
      onData: (stream, _session, done) => {
        stream.resume();
        stream.on('end', () => done());
      },
    });
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', () => resolve()));
    const { port } = plain.server.address() as AddressInfo;
    // This machine by another name.
    const remote = createSmtpMailer({ url: `smtp://ada:secret@[::ffff:127.0.0.1]:${port}`, from: FROM });
    await expect(remote.send(mail)).rejects.toThrow();
    expect(passwords).toEqual([]);
    const local = createSmtpMailer({ url: `smtp://ada:secret@127.0.0.1:${port}`, from: FROM });
    await local.send(mail);
    expect(passwords).toEqual(['secret']);
    await Promise.all([remote.close(), local.close()]);
    await new Promise<void>((resolve) => plain.close(() => resolve()));
  });
});

describe('what a mail is made of', () => {
  test.each([
    'ada@example.com, eve@example.com',
    'ada@example.com;eve@example.com',
    'Ada <ada@example.com>',
    'ada@example.com\r\nBcc: eve@example.com',
    'ada@example.com\nRCPT TO:<eve@example.com>',
    '"eve@example.com ada"@example.com',
    'ada@example.com ',
    'ADA@example.com',
    'group: eve@example.com;',
    '',
  ])('%j is no recipient [a recipient is one canonical address]', async (to) => {
    await expect(mailer.send({ ...mail, to })).rejects.toThrow('not one canonical address');
    expect(received).toEqual([]);
  });

  test.each(['\r\nBcc: eve@example.com', '\nBcc: eve@example.com', '\rBcc: eve@example.com', '\r\n\r\n<p>Other</p>'])(
    'a line end in a subject or an id begins no header [values of headers are folded]: %j',
    async (hostile) => {
      await mailer.send({ ...mail, subject: `Hello${hostile}`, id: `job${hostile}` });
      const [one] = received;
      if (!one) throw new Error('nothing came');
      expect(one.to).toEqual(['ada@example.com']);
      expect(one.mail.bcc).toBeUndefined();
      expect(headersOf(one)).not.toMatch(/^(Bcc|<p>)/im);
      expect(one.mail.html).toBe(mail.html);
    },
  );

  test('neither a file nor a URL is read into it [disableFileAccess, disableUrlAccess]', async () => {
    for (const source of [{ path: '/etc/passwd' }, { path: 'http://127.0.0.1:1/' }, { href: 'http://127.0.0.1:1/' }]) {
      await expect(mailer.send({ ...mail, html: source as never })).rejects.toThrow('rejected');
    }
    expect(received).toEqual([]);
  });
});

describe('the outbox', () => {
  let dir: string;
  let parent: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'postern-outbox-'));
    dir = join(parent, 'data', 'outbox');
    return () => rm(parent, { recursive: true, force: true });
  });

  test('is empty before the first mail', async () => {
    const outbox = createOutbox({ dir });
    expect(await outbox.list()).toEqual([]);
    expect(await outbox.get('job-17')).toBeNull();
  });

  test('keeps each mail as a file that nobody else may read, the newest first', async () => {
    const outbox = createOutbox({ dir });
    await outbox.send(mail);
    await outbox.send({ ...mail, id: 'job-18', subject: 'Second' });
    const list = await outbox.list();
    expect(list.map(({ id }) => id)).toEqual(['job-18', 'job-17']);
    expect(list[1]).toEqual({ ...mail, sentAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) });
    expect(await outbox.get('job-18')).toMatchObject({ subject: 'Second' });
    const mode = async (path: string) => (await stat(path)).mode & 0o777;
    expect(await mode(dir)).toBe(0o700);
    const files = await readdir(dir);
    expect(files).toHaveLength(2);
    for (const file of files) expect(await mode(join(dir, file))).toBe(0o600);
    // Another one on the same folder sees the same.
    expect(await createOutbox({ dir }).list()).toEqual(list);
  });

  test('keeps the newest two hundred', async () => {
    const outbox = createOutbox({ dir });
    for (let n = 0; n < 203; n += 1) await outbox.send({ ...mail, id: `job-${n}` });
    const ids = (await outbox.list()).map(({ id }) => id);
    expect(ids).toHaveLength(200);
    expect([ids[0], ids.at(-1)]).toEqual(['job-202', 'job-3']);
    expect(await readdir(dir)).toHaveLength(200);
  });

  test('an id leads nowhere else [a mail is looked for by its id, which is no path]', async () => {
    const outbox = createOutbox({ dir });
    await outbox.send(mail);
    await writeFile(join(parent, 'data', 'secret.json'), '{"to":"secret"}');
    for (const id of ['../secret', '..%2Fsecret', '../../data/secret', '.*', '', 'job-1', '000', '__proto__'])
      expect(await outbox.get(id)).toBeNull();
    for (const id of ['../evil', 'a/b', '', 'a.b', 'a b'])
      await expect(outbox.send({ ...mail, id })).rejects.toThrow('is no id');
    expect(await readdir(parent)).toEqual(['data']);
    expect(await outbox.list()).toHaveLength(1);
  });
});
