import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCipher } from '../../src/lib/cipher.ts';
import * as signingKeys from '../../src/records/signing-keys.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { CURRENT_USER, newPerson, REFRESH, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_PUBLIC_URL: 'http://auth.test' } });
});
afterAll(() => gateway.stop());

test('a key that has leaked is gone at once: it is not published, and what it signed is refused everywhere (J11: without the removal it is believed for minutes)', async () => {
  const other = await gateway.another();
  const held = await signUp(gateway.client(), newPerson(), 'JWT');
  expect((await other.client().bearing(held.token).send(CURRENT_USER)).result.__typename).toBe('User');
  const [leaked] = gateway.app.keys.publicKeys();

  const cipher = createCipher(['the secret of the tests is long enough to be one']);
  const policy = { algorithm: 'ES256', keyLifetime: 86_400_000, tokenLifetime: 300_000 } as const;
  // A key that waits for its turn may have leaked with the others.
  for (const force of ['soon', 'now'] as const)
    await gateway.app.database.transaction((db) => signingKeys.rotate(db, cipher, policy, gateway.clock(), force));

  for (const instance of [gateway, other]) {
    await expect.poll(() => instance.app.keys.publicKeys().map(({ kid }) => kid)).not.toContain(leaked?.kid);
    expect(instance.app.keys.publicKeys()).toHaveLength(1);
    const asked = await instance.client().bearing(held.token).send(CURRENT_USER);
    expect(asked.result.reason).toBe('INVALID_CREDENTIAL');
  }
  const { result } = await gateway.client().send(REFRESH, { input: { refreshToken: held.refreshToken } });
  const { accessToken } = result.credential as { accessToken: string };
  expect((await other.client().bearing(accessToken).send(CURRENT_USER)).result.__typename).toBe('User');
});

test('nobody with another secret replaces the keys (without opening them first, no gateway could use the new one)', async () => {
  const before = await signingKeys.list(gateway.app.database);
  const cipher = createCipher(['another secret that is long enough to be one, too']);
  const policy = { algorithm: 'ES256', keyLifetime: 86_400_000, tokenLifetime: 300_000 } as const;
  for (const force of ['soon', 'now', undefined] as const) {
    const rotation = gateway.app.database.transaction((db) =>
      signingKeys.rotate(db, cipher, policy, gateway.clock(), force),
    );
    await expect(rotation).rejects.toThrow(/POSTERN_SECRET does not open the signing key/);
  }
  expect(await signingKeys.list(gateway.app.database)).toEqual(before);
});
