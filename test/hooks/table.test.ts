import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { blockDomains } from '../../src/hooks/block-domains.ts';
import { HOOKS } from '../../src/hooks.ts';
import { problemsOfOperatorConfig } from '../../src/operator-config.ts';

const page = readFileSync('docs/hooks.md', 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.slice(2, -2).split(' | '))
  .filter(([first]) => first !== 'hook' && !first?.startsWith('---'));
const ofHooks = rows.filter(([first]) => first !== '–');

/** The methods of django-allauth's adapters. */
const METHODS: Readonly<Record<string, string>> = {
  account: `is_open_for_signup new_user save_user populate_username generate_unique_username clean_username clean_email
    clean_password clean_phone validate_unique_email pre_login post_login login logout respond_user_inactive
    respond_email_verification_sent get_login_stages get_reauthentication_methods is_login_by_code_required
    pre_authenticate authenticate authentication_failed reauthenticate stash_verified_email unstash_verified_email
    is_email_verified confirm_email can_delete_email should_send_confirmation_mail generate_emailconfirmation_key
    send_mail render_mail format_email_subject get_from_email send_confirmation_mail send_password_reset_mail
    send_account_already_exists_mail send_notification_mail get_email_confirmation_url
    get_reset_password_from_key_url get_signup_redirect_url get_login_redirect_url get_logout_redirect_url
    get_password_change_redirect_url get_email_verification_redirect_url is_safe_url generate_login_code
    generate_password_reset_code generate_email_verification_code generate_phone_verification_code phone_form_field
    set_phone get_phone set_phone_verified get_user_by_phone send_verification_code_sms send_unknown_account_sms
    send_account_already_exists_sms set_password get_client_ip get_http_user_agent get_user_search_fields add_message
    is_ajax ajax_response`,
  social: `pre_social_login on_authentication_error new_user save_user populate_user get_connect_redirect_url
    validate_disconnect is_auto_signup_allowed is_open_for_signup get_signup_form_initial_data list_providers
    get_provider list_apps get_app get_requests_session is_email_verified can_authenticate_by_email
    generate_state_param send_notification_mail serialize_instance deserialize_instance authenticate_by_email`,
  mfa: `get_totp_label get_totp_issuer build_totp_url build_totp_svg encrypt decrypt can_delete_authenticator
    is_mfa_enabled generate_authenticator_name get_public_key_credential_rp_entity
    get_public_key_credential_user_entity send_notification_mail`,
  headless: 'serialize_user get_user_dataclass user_as_dataclass get_frontend_url',
  usersessions: 'end_sessions',
  tokens: `get_session_token create_session_token lookup_session create_access_token create_access_token_payload
    refresh_token get_claims`,
};

describe('the table of docs/hooks.md', () => {
  test('lists exactly the hooks that exist, each once', () => {
    expect(ofHooks.map(([name]) => name).sort()).toEqual(
      Object.keys(HOOKS)
        .map((name) => `\`${name}\``)
        .sort(),
    );
  });

  test('says all there is to say of each', () => {
    for (const row of rows) {
      expect(row, row[0]).toHaveLength(6);
      for (const cell of row) expect(cell.trim(), row[0]).not.toBe('');
    }
    for (const row of ofHooks) for (const cell of row) expect(cell, row[0]).not.toBe('–');
  });

  test('has every method of the adapters, once', () => {
    const all = Object.entries(METHODS).flatMap(([adapter, names]) =>
      names.split(/\s+/).map((name) => `${adapter}.${name}`),
    );
    const named = rows.flatMap((row) => [...(row[5] ?? '').matchAll(/`(\w+\.\w+)`/g)].map(([, name]) => name));
    expect(named.sort()).toEqual(all.sort());
  });

  test('names settings that there are', () => {
    const config = readFileSync('src/config.ts', 'utf8');
    for (const [name] of page.matchAll(/POSTERN_[A-Z_]+/g)) expect(config).toContain(`${name}: `);
  });

  test('has tests for each row, by its name', () => {
    const tests = readdirSync('test/hooks')
      .filter((file) => file !== 'failing.test.ts')
      .map((file) => readFileSync(`test/hooks/${file}`, 'utf8'))
      .join('\n');
    for (const name of Object.keys(HOOKS)) expect(tests, name).toMatch(new RegExp(`describe\\('${name}'`));
  });
});

test('a config file may have each of them, and nothing beside them', () => {
  const all = Object.fromEntries(
    Object.entries(HOOKS).map(([name, kind]) => [name, kind === 'messages' ? {} : () => undefined]),
  );
  expect(problemsOfOperatorConfig({ hooks: all })).toEqual([]);
  expect(problemsOfOperatorConfig({ hooks: { allowSignUp: () => true } })).toHaveLength(1);
  expect(problemsOfOperatorConfig({ hooks: { cleanEmail: 'example.com' } })).toEqual([
    'hooks.cleanEmail is not a function',
  ]);
});

/** The examples of the page, as files that a gateway would load. */
const EXAMPLES = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, text = '']) => text);

test.each(EXAMPLES)('an example is a config file: %s', async (text) => {
  // As text of a module that can import nothing, it gets the package in another way.
  Object.assign(globalThis, { postern: { blockDomains } });
  const program = text.replace(
    "import { blockDomains } from 'postern';",
    'const { blockDomains } = globalThis.postern;',
  );
  const loaded = await import(`data:text/javascript,${encodeURIComponent(program)}`);
  expect(Object.keys(loaded.default.hooks).length).toBeGreaterThan(0);
  expect(problemsOfOperatorConfig(loaded.default)).toEqual([]);
});
