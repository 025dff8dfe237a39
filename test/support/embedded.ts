import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inject } from 'vitest';
import { createPostern, type Postern, type PosternOptions } from '../../src/index.ts';
import { createDatabase } from './database.ts';

/** Makes a gateway in this process, as a program does that has Postern inside. */
export async function embed(options: PosternOptions = {}): Promise<{ postern: Postern; end(): Promise<void> }> {
  const database = await createDatabase(inject('templateUrl'));
  const postern = await createPostern({
    ...options,
    settings: {
      DATABASE_URL: database.url,
      POSTERN_SECRET: 'the secret of the tests is long enough to be one',
      POSTERN_PASSWORD_HASH: 'm=64,t=1,p=1',
      POSTERN_EMAIL_VERIFICATION: 'none',
      POSTERN_DATABASE_CONNECTIONS: '3',
      POSTERN_LOG_LEVEL: 'fatal',
      ...options.settings,
    },
  });
  return {
    postern,
    async end() {
      await postern.close();
      await database.drop();
    },
  };
}

/** Listens on a free port of loopback. */
export async function listenOn(listener: RequestListener | Server): Promise<{ url: string; end(): Promise<void> }> {
  const server = typeof listener === 'function' ? createServer(listener) : listener;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async end() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
