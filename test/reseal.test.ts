import { expect, test } from 'vitest';
import { createCipher } from '../src/lib/cipher.ts';
import { reseal } from '../src/reseal.ts';
import { beginMfaLogin, totpCode, totpHolder, VERIFY_MFA } from './support/factors.ts';
import { type Gateway, startGateway } from './support/gateway.ts';

const [OLD, NEW] = ['the old secret of the tests is long enough', 'the new secret of the tests is long enough'];

test('a secret can be dropped once everything is sealed with the one before it', async () => {
  const old = await startGateway({ env: { POSTERN_SECRET: OLD, POSTERN_RATE_LIMITS: 'off' } });
  const [holder, other] = [await totpHolder(old), await totpHolder(old)];
  const outcome = async (at: Gateway, proof: object, { person } = holder) => {
    const client = at.client();
    const { loginToken } = await beginMfaLogin(client, person);
    const { status, result } = await client.send(VERIFY_MFA, { input: { loginToken, proof } });
    return `${status} ${result.__typename}`;
  };
  const code = () => ({ totp: totpCode(holder.secret, old.clock()) });

  const both = await old.another({ POSTERN_SECRET: `${NEW},${OLD}` });
  expect(await outcome(both, code())).toBe('200 LoggedIn');
  old.clock.advance(30_000);
  // Their passwords move as they log in, the rest by itself.
  await beginMfaLogin(both.client(), other.person);
  const cipher = createCipher([NEW, OLD]);
  expect(await reseal(both.app.database, cipher)).toEqual({ resealed: 3, unopened: 0 });
  expect(await reseal(both.app.database, cipher)).toEqual({ resealed: 0, unopened: 0 });

  const fresh = await old.another({ POSTERN_SECRET: NEW });
  expect(await outcome(fresh, code())).toBe('200 LoggedIn');
  expect(await outcome(fresh, { recoveryCode: holder.recoveryCodes[0] })).toBe('200 LoggedIn');
  // One that is sealed with a secret that nobody has any more is of no use, and breaks nothing.
  await old.sql(
    `UPDATE authenticators SET data = jsonb_set(data, '{sealedSecret}', to_jsonb($1::text)) WHERE user_id = $2`,
    [createCipher([OLD]).seal('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', `totp ${other.userId}`), other.userId],
  );
  expect(await reseal(fresh.app.database, createCipher([NEW]))).toEqual({ resealed: 0, unopened: 1 });
  expect(await outcome(fresh, { totp: '123456' }, other)).toBe('200 InvalidCode');
  await old.stop();
});
