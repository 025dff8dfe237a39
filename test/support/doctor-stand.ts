import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import type { Environment } from '../../src/config.ts';
import type { CheckName } from '../../src/doctor/checks.ts';
import type { Finding } from '../../src/doctor/examine.ts';
import { type TemporaryFolder, temporaryFolder } from './process.ts';
import { CERTIFICATE, CERTIFICATE_KEY } from './tls.ts';

/** What stands before a gateway and speaks https for it, with an OpenID provider of its own at `/idp`. */
export interface TlsFront {
  readonly url: string;
  readonly issuer: string;
  /** Where requests go, such as `http://127.0.0.1:4000`. */
  hands(to: string): void;
  close(): Promise<void>;
}

export async function startTlsFront(): Promise<TlsFront> {
  let behind = '';
  const server = createTlsServer({ cert: CERTIFICATE, key: CERTIFICATE_KEY }, (incoming, outgoing) => {
    if (incoming.url === '/idp/.well-known/openid-configuration') {
      outgoing.setHeader('content-type', 'application/json').end(JSON.stringify(metadataOf(issuer)));
      return;
    }
    if (behind === '') {
      outgoing.writeHead(404).end();
      return;
    }
    const { method, headers, socket } = incoming;
    const forwarded = { ...headers, 'x-forwarded-for': socket.remoteAddress };
    const asked = request(behind + incoming.url, { method, headers: forwarded }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    asked.on('error', () => outgoing.destroy());
    incoming.pipe(asked);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  const issuer = `${url}/idp`;
  return {
    url,
    issuer,
    hands(to) {
      behind = to;
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

function metadataOf(issuer: string) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}

/** Where the doctor runs, as an operator runs it. */
export interface Surgery extends TemporaryFolder {
  run(settings: Environment, ...words: string[]): Promise<{ status: number; out: string; err: string }>;
  /** What some checks find, by their names. */
  find(settings: Environment, ...names: CheckName[]): Promise<Readonly<Record<string, Finding>>>;
}

/** Makes a folder with these files in it, where the certificate of the tests is believed. */
export async function openSurgery(files: Readonly<Record<string, string>> = {}): Promise<Surgery> {
  const folder = await temporaryFolder();
  const certificate = join(folder.path, 'certificate.pem');
  await writeFile(certificate, CERTIFICATE);
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder.path, name), text);

  const run: Surgery['run'] = async (settings, ...words) => {
    const { PATH = '', HOME = '' } = process.env;
    const env = { PATH, HOME, NODE_EXTRA_CA_CERTS: certificate, ...settings };
    const program = resolve('dist/cli.js');
    const child = spawn(process.execPath, [program, 'doctor', ...words], { env, cwd: folder.path });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    const [status] = (await once(child, 'close')) as [number];
    return { status, out, err };
  };

  return {
    ...folder,
    run,
    async find(settings, ...names) {
      const { out, err } = await run(settings, '--json', '--only', names.join(','));
      if (out === '') throw new Error(err);
      const { findings } = JSON.parse(out) as { findings: Finding[] };
      return Object.fromEntries(findings.map((finding) => [finding.name, finding]));
    },
  };
}

/** Something that speaks as much of Redis' protocol as a client asks for that only looks. */
export interface PlainRedis {
  readonly url: string;
  close(): Promise<void>;
}

/** @param policy what it does when it is full */
export async function startPlainRedis(policy: string): Promise<PlainRedis> {
  const memory = `# Memory\r\nmaxmemory_policy:${policy}\r\n`;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      // Commands are lists (RESP2): `*` and their length begin each.
      for (const command of String(chunk).split(/(?=^\*\d+\r\n)/m)) {
        if (/\r\ninfo\r\n/i.test(command)) socket.write(`$${memory.length}\r\n${memory}\r\n`);
        else socket.write(/\r\nping\r\n/i.test(command) ? '+PONG\r\n' : '+OK\r\n');
      }
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((closed) => server.close(() => closed())),
  };
}
