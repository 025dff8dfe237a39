import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { LOG_IN, newPerson, signUp } from '../support/people.ts';

/** Passwords that the range service knows. */
const breached = new Set<string>();
let service: Server;
let gateway: Gateway;
beforeAll(async () => {
  service = createServer((request, response) => {
    const prefix = request.url?.slice(-5) ?? '';
    const digests = [...breached].map((password) => createHash('sha1').update(password).digest('hex').toUpperCase());
    response.end(
      digests
        .filter((digest) => digest.startsWith(prefix))
        .map((digest) => `${digest.slice(5)}:7`)
        .join('\r\n'),
    );
  }).listen(0, '127.0.0.1');
  await once(service, 'listening');
  gateway = await startGateway({
    env: {
      POSTERN_BREACHED_PASSWORDS: 'on',
      POSTERN_BREACHED_PASSWORDS_URL: `http://127.0.0.1:${(service.address() as AddressInfo).port}/range/`,
    },
  });
});
afterAll(async () => {
  await gateway.stop();
  service.close();
});

test('a password that has turned up in a breach since has to be replaced at the next login', async () => {
  const person = newPerson();
  await signUp(gateway.client(), person);
  breached.add(person.password);
  const { result } = await gateway.client().send(LOG_IN, { input: person });
  expect(result).toMatchObject({ __typename: 'PasswordChangeRequired', reason: 'BREACHED' });
});
