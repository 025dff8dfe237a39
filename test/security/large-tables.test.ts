import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ADD_EMAIL,
  DELETE_ACCOUNT,
  REMOVE_EMAIL,
  SEND_EMAIL_VERIFICATION,
  SET_PRIMARY_EMAIL,
  UPDATE_PROFILE,
} from '../support/account.ts';
import { SoftwareAuthenticator } from '../support/authenticator.ts';
import {
  AUTHENTICATORS,
  BEGIN_PASSKEY_LOGIN,
  beginMfaLogin,
  enrollPasskey,
  enrollTotp,
  FORGET_TRUSTED_DEVICES,
  GENERATE_RECOVERY_CODES,
  LOG_IN_WITH_PASSKEY,
  REMOVE_AUTHENTICATOR,
  totpCode,
  VERIFY_MFA,
} from '../support/factors.ts';
import type { Gateway } from '../support/gateway.ts';
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts';
import {
  connectLive,
  lastEventId,
  RENEW_CONNECTION,
  REVOKE_OTHER_SESSIONS,
  REVOKE_SESSION,
  SESSION_EVENTS,
  WATCH_SESSION,
} from '../support/live.ts';
import { CHANGE_PASSWORD, REAUTHENTICATE, REQUEST_RESET, RESET_PASSWORD } from '../support/passwords.ts';
import {
  CHANGE_PENDING_EMAIL,
  CONTINUE_LOGIN,
  CURRENT_USER,
  hold,
  ISSUE_ACCESS_TOKEN,
  LOG_IN,
  LOG_IN_WITH_CODE,
  LOG_OUT,
  logIn,
  newPerson,
  REFRESH,
  REQUEST_LOGIN_CODE,
  RESEND_CODE,
  SIGN_UP,
  VERIFY_EMAIL,
} from '../support/people.ts';

import {
  beginConnection,
  COMPLETE_PROVIDER_CONNECTION,
  COMPLETE_PROVIDER_SIGN_UP,
  codeOf,
  connectionsOf,
  DISCONNECT_PROVIDER,
  enterFrom,
  goAndReturn,
  LINK_ACCOUNT,
  LOG_IN_WITH_PROVIDER_TOKEN,
  newAccount,
  startSocialGateway,
} from '../support/social.ts';

/** More than the planner would rather read whole than look up. */
const ROWS = 20_000;

let gateway: Gateway;
let provider: HostileProvider;
beforeAll(async () => {
  provider = await startHostileProvider();
  gateway = await startSocialGateway(provider, {
    env: { POSTERN_LOGIN_IDENTIFIERS: 'email,username,phone' },
    sms: true,
  });
  await gateway.sql(`INSERT INTO users (id, created_at, username, username_key)
    SELECT gen_random_uuid(), now(), 'user' || n, 'user' || n FROM generate_series(1, ${ROWS}) n`);
  await gateway.sql(`INSERT INTO emails (id, user_id, address, is_primary, created_at)
    SELECT gen_random_uuid(), id, username || '@large.example', true, now() FROM users`);
  await gateway.sql(`INSERT INTO phones (user_id, number, created_at)
    SELECT id, '+49' || row_number() OVER (), now() FROM users`);
  await gateway.sql(`INSERT INTO passwords (user_id, hash, changed_at) SELECT id, '', now() FROM users`);
  await gateway.sql(`INSERT INTO sessions (id, user_id, token_hash, credential, methods, created_at, last_seen_at, expires_at)
    SELECT gen_random_uuid(), id, sha256(id::text::bytea), 'JWT', '[]', now(), now(), now() + interval '1 day' FROM users`);
  await gateway.sql(`INSERT INTO refresh_tokens (id, session_id, token_hash, created_at, expires_at)
    SELECT gen_random_uuid(), id, sha256(id::text::bytea), now(), now() + interval '1 day' FROM sessions`);
  await gateway.sql(`INSERT INTO pending_logins
      (id, token_hash, purpose, user_id, credential, methods, stage, passkey_challenge,
      passkey_challenge_expires_at, email, created_at, expires_at)
    SELECT gen_random_uuid(), sha256(id::text::bytea), 'PASSWORD', CASE WHEN random() < 0.5 THEN id END, 'JWT', '[]',
      'verifyEmail', '\\x00', now(), username || '@large.example', now(), now() + interval '1 day' FROM users`);
  await gateway.sql(`INSERT INTO challenges (id, purpose, handle_hash, user_id, channel, destination, code_hash, link_hash,
      created_at, resend_at, code_expires_at, link_expires_at)
    SELECT gen_random_uuid(), 'LOGIN_CODE', sha256(id::text::bytea), CASE WHEN random() < 0.5 THEN id END, 'EMAIL',
      username || '@large.example', '\\x00', sha256(('l' || id)::bytea), now(), now(), now(), now() FROM users`);
  await gateway.sql(`INSERT INTO authenticators (id, user_id, kind, credential_id, data, created_at)
    SELECT gen_random_uuid(), id, 'PASSKEY', id::text, '{}', now() FROM users`);
  await gateway.sql(`INSERT INTO trusted_devices (id, user_id, token_hash, binding, created_at, expires_at)
    SELECT gen_random_uuid(), id, sha256(id::text::bytea), '\\x00', now(), now() + interval '1 day' FROM users`);
  await gateway.sql(`INSERT INTO ceremonies (id, handle_hash, purpose, user_id, sealed_state, created_at, expires_at)
    SELECT gen_random_uuid(), sha256(id::text::bytea), 'ENROLL_TOTP', id, '', now(), now() + interval '1 day' FROM users`);
  await gateway.sql(`INSERT INTO social_connections (id, user_id, provider, issuer, subject, display_name, created_at)
    SELECT gen_random_uuid(), id, 'acme', '${provider.issuer}', id::text, username, now() FROM users`);
  await gateway.sql(`INSERT INTO provider_flows (id, purpose, provider, flow_token_hash, state_hash, redirect_url,
      sealed_secrets, created_at, expires_at)
    SELECT gen_random_uuid(), 'LOG_IN', 'acme', sha256(('f' || id)::bytea), sha256(('s' || id)::bytea), '', '', now(),
      now() + interval '1 day' FROM users`);
  await gateway.sql(`INSERT INTO used_id_tokens (digest, expires_at)
    SELECT sha256(id::text::bytea), now() + interval '1 day' FROM users`);
  await gateway.sql(`INSERT INTO events (at, kind, user_id, data) SELECT now(), 'LoggedIn', id, '{}' FROM users`);
  await gateway.sql('ANALYZE');
});
afterAll(async () => {
  await gateway.stop();
  await provider.close();
});

test('nothing that anybody can ask for reads a whole table (else its time grows with them, and tells who was found)', {
  timeout: 90_000,
  // Once an hour the gateway itself goes through whole tables, for what is over.
  retry: 1,
}, async () => {
  const suffix = randomUUID().slice(0, 8);
  const before = await rowsRead();
  const client = gateway.client();
  const [person, other, unknown] = [newPerson(), newPerson(), newPerson()];
  const send = async (query: string, input: object) => (await client.send(query, { input })).result;

  const signedUp = await send(SIGN_UP, { ...person, username: `ada${suffix}` });
  await send(SIGN_UP, { ...person });
  await send(CHANGE_PENDING_EMAIL, { loginToken: signedUp.loginToken, email: other.email });
  await send(CHANGE_PENDING_EMAIL, { loginToken: signedUp.loginToken, email: person.email });
  await send(CONTINUE_LOGIN, { loginToken: signedUp.loginToken });
  await gateway.mails.rest('');
  const mail = gateway.mails.all.filter(({ to, code }) => to === person.email && code).at(-1);
  const proof = { code: { handle: signedUp.loginToken, code: mail?.code } };
  await send(VERIFY_EMAIL, { proof: { code: { handle: signedUp.loginToken, code: 'BBBB-BBBB' } } });
  const held = hold(client, await client.send(VERIFY_EMAIL, { input: { proof } }));

  for (const email of [person.email, unknown.email, 'user77@large.example']) {
    await send(LOG_IN, { email, password: 'none of these' });
    const login = await send(REQUEST_LOGIN_CODE, { email });
    await send(LOG_IN_WITH_CODE, { proof: { code: { handle: login.loginToken, code: 'BBBB-BBBB' } } });
    await send(RESEND_CODE, { handle: login.loginToken });
    const reset = await send(REQUEST_RESET, { email });
    const guess = { code: { handle: reset.handle, code: 'BBBB-BBBB' } };
    await send(RESET_PASSWORD, { proof: guess, newPassword: 'another ladder in the library' });
    await send(RESET_PASSWORD, { proof: { token: `pk_${'A'.repeat(43)}` }, newPassword: 'another ladder, too' });
  }
  await send(LOG_IN, { username: 'user99', password: 'none of these' });
  await send(LOG_IN, { phone: '+4915112345678', password: 'none of these' });

  const byJwt = await logIn(client, person, 'JWT');
  await send(REFRESH, { refreshToken: byJwt.refreshToken });
  await byJwt.client.send(ISSUE_ACCESS_TOKEN);
  await byJwt.client.send(LOG_OUT);
  const own = async (query: string, input?: object) => (await held.client.send(query, input ? { input } : {})).result;
  await own(CURRENT_USER);
  await own('{ currentUser { ... on User { sessions { id } emails { id } phone { number } lastLoginAt } } }');
  await own(UPDATE_PROFILE, { name: 'Ada', username: `countess${suffix}` });
  await own(REAUTHENTICATE, { password: person.password });
  await own(CHANGE_PASSWORD, { currentPassword: person.password, newPassword: 'another ladder in the library' });
  const again = await logIn(client, { ...person, password: 'another ladder in the library' });
  await again.client.send(ADD_EMAIL, { input: { email: other.email } });
  const { result } = await again.client.send('{ currentUser { ... on User { emails { id primary } } } }');
  for (const { id } of result.emails as { id: string }[]) {
    for (const query of [SEND_EMAIL_VERIFICATION, SET_PRIMARY_EMAIL, REMOVE_EMAIL])
      await again.client.send(query, { input: { id } });
  }
  const { secret } = await enrollTotp(gateway, again.client);
  const { authenticator, id } = await enrollPasskey(again.client);
  const { result: begun } = await client.send(BEGIN_PASSKEY_LOGIN, { input: {} });
  for (const each of [new SoftwareAuthenticator(), authenticator]) {
    if (each !== authenticator) each.create({ challenge: 'AAAA', rp: { id: 'localhost' }, user: { id: 'AAAA' } });
    await send(LOG_IN_WITH_PASSKEY, { loginToken: begun.loginToken, response: each.get(begun.options) });
  }
  const { loginToken } = await beginMfaLogin(client, { ...person, password: 'another ladder in the library' });
  for (const totp of ['000000', totpCode(secret, gateway.clock())])
    await send(VERIFY_MFA, { loginToken, proof: { totp }, trustDevice: true });
  await again.client.send(AUTHENTICATORS);
  await again.client.send(GENERATE_RECOVERY_CODES);
  await again.client.send(FORGET_TRUSTED_DEVICES);
  await again.client.send(REMOVE_AUTHENTICATOR, { input: { id } });
  for (const account of [newAccount(), newAccount({ email: undefined }), newAccount({ email: person.email })])
    await enterFrom(gateway, provider, account);
  const linking = await enterFrom(gateway, provider, newAccount({ email: person.email }), client);
  const proofs = [{ password: 'none of these' }, { emailCode: 'BBBB-BBBB' }];
  await send(RESEND_CODE, { handle: linking.result.loginToken });
  for (const link of proofs) await send(LINK_ACCOUNT, { loginToken: linking.result.loginToken, proof: link });
  const unknownAccount = await enterFrom(gateway, provider, newAccount({ email: undefined }), client);
  await send(COMPLETE_PROVIDER_SIGN_UP, { loginToken: unknownAccount.result.loginToken, email: newPerson().email });
  provider.person = newAccount();
  const idToken = await provider.mint({ nonce: 'n' });
  await send(LOG_IN_WITH_PROVIDER_TOKEN, { provider: 'acme', idToken, nonce: 'n' });
  const connection = await beginConnection(again.client, 'acme');
  const code = codeOf(await goAndReturn(gateway, provider, connection));
  await again.client.send(COMPLETE_PROVIDER_CONNECTION, { input: { flowToken: connection.flowToken, code } });
  const [connected] = await connectionsOf(again.client);
  await again.client.send(DISCONNECT_PROVIDER, { input: { id: connected?.id } });
  const last = await lastEventId(again);
  const trail =
    'query Trail($after: ID) { currentUser { ... on User { securityEvents(after: $after) { endCursor } } } }';
  await again.client.send(trail, { after: last });
  await again.client.send(REVOKE_SESSION, { input: { id: held.sessionId } });
  await again.client.send(REVOKE_OTHER_SESSIONS);
  const live = connectLive(gateway.url, { token: again.token });
  live.follow(SESSION_EVENTS, { after: last });
  await live.follow(WATCH_SESSION).next();
  // Meanwhile it is looked after, time and again: for lost hints, and for sessions whose time is over.
  await pause(10_500);
  await live.send(RENEW_CONNECTION, { input: { token: again.token } });
  live.dispose();
  const { result: left } = await again.client.send(DELETE_ACCOUNT);
  expect(left.__typename).toBe('AccountDeleted');

  const after = await rowsRead();
  const whole = [...after].filter(([what, rows]) => rows - (before.get(what) ?? 0) > ROWS / 4).map(([what]) => what);
  expect(whole).toEqual([]);
});

/** How many rows were read of each table, from end to end or through each index. */
async function rowsRead(): Promise<Map<string, number>> {
  // A connection reports what it did when it has been idle for ten seconds, if it reported something just before.
  await pause(10_500);
  const rows = await gateway.sql<{ what: string; read: string }>(
    `SELECT relname AS what, seq_tup_read AS read FROM pg_stat_user_tables WHERE schemaname = 'public'
     UNION ALL SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes WHERE schemaname = 'public'`,
  );
  return new Map(rows.map(({ what, read }) => [what, Number(read)]));
}
