import { existsSync, readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { parseEnv } from 'node:util';
import { z } from 'zod';
import { readWebhooks, type WebhookEndpoint, type WebhookEntry } from './deliveries/settings.ts';
import type { FactorName } from './factors/index.ts';
import { ACCESS_TOKEN_ALGORITHMS } from './lib/access-token.ts';
import { type LinkTemplate, withFrontend } from './lib/link-template.ts';
import { parseRateLimits, type RateLimits } from './lib/rate-limits.ts';
import { parseRedirectRule, type RedirectRule } from './lib/redirect-url.ts';
import { parseRoles } from './lib/roles.ts';
import { parseServiceCredential, type ServiceCredential } from './lib/service-credential.ts';
import {
  appOriginOf,
  choice,
  choices,
  count,
  duration,
  line,
  linkTemplate,
  list,
  mailbox,
  originOf,
  redisUrl,
  toggle,
  webUrl,
  withoutSlash,
  writeMailbox,
} from './lib/setting.ts';
import type { Provider } from './providers/provider.ts';
import { type ProviderEntry, readProviders } from './providers/settings.ts';

/** Every setting: its name, how it is written, its default, what it means. `postern --help` and the pages show it. */
const settings = z.object({
  NODE_ENV: z.string().default('').meta({
    shown: '',
    description:
      '`production` refuses to start without DATABASE_URL, POSTERN_SECRET, an https POSTERN_PUBLIC_URL and POSTERN_SMTP_URL, or the hook `sendMail`',
  }),
  HOST: z.string().default('127.0.0.1').meta({ description: 'the address to listen on' }),
  PORT: count(4000, { min: 0, max: 65_535 }).meta({
    description: 'the port to listen on; 0 takes a free one and says which',
  }),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'is not a postgresql:// URL')
    .optional()
    .meta({ shown: 'an embedded PostgreSQL in the data folder', description: 'any PostgreSQL from version 14 on' }),
  POSTERN_DATABASE_CONNECTIONS: count(10, { min: 2, max: 1_000 }).meta({
    description: 'connections to the database, kept open',
  }),
  POSTERN_REDIS_URL: redisUrl.optional().meta({
    shown: 'none: PostgreSQL does it',
    description:
      'a Redis or Valkey that counts for the rate limits and carries the hints of events, such as `rediss://user:password@host:6379/1`',
  }),
  POSTERN_DATA_DIR: z
    .string()
    .min(1)
    .default('.postern')
    .meta({ description: 'the folder of the embedded database and the development secret; made with mode 0700' }),
  POSTERN_PUBLIC_URL: webUrl.optional().meta({
    shown: '`http://localhost:PORT`',
    description:
      'where clients reach Postern: the issuer of its tokens, and the start of every link, whatever host a request claims',
  }),
  POSTERN_FRONTEND_URL: webUrl.optional().meta({ shown: 'the public URL', description: 'where the app lives' }),
  POSTERN_ALLOWED_ORIGINS: list('').meta({
    shown: 'the public and frontend origins',
    description: 'browsers on other origins may not call Postern',
  }),
  POSTERN_TRUSTED_PROXIES: count(0, { min: 0, max: 10 }).meta({
    description: 'how many right-most hops of X-Forwarded-For are ours',
  }),
  POSTERN_SECRET: list('').meta({
    shown: 'made once in the data folder, outside production',
    description: 'at least 32 bytes; a list to rotate: the first seals, all open',
  }),
  POSTERN_SIGN_UP: choice(['open', 'invite', 'closed'])
    .default('open')
    .meta({ description: 'whether new people may sign up; `invite` lets those whom an administrator has invited' }),
  POSTERN_INVITATION_LIFETIME: duration('7d').meta({
    description:
      'how long an invitation lives, and the link by which somebody sets the first password of an account that was made for them',
  }),
  POSTERN_ADMIN_ROLES: z.string().default('admin').transform(parseAdminRoles).meta({
    shown: 'admin',
    description: 'the roles whose holders administrate accounts over GraphQL, with commas; `off` lets nobody',
  }),
  POSTERN_LOGIN_IDENTIFIERS: choices(['email', 'username', 'phone'], 'email').meta({
    description: 'what people log in with, with commas: email, username, phone; email or phone is among them',
  }),
  POSTERN_EMAIL_VERIFICATION: choice(['mandatory', 'optional', 'none'])
    .default('mandatory')
    .meta({ description: 'whether a login waits until the address is verified' }),
  POSTERN_LOGIN_CODES: toggle('on').meta({ description: 'logging in by a code or link that is sent' }),
  POSTERN_LOGIN_CODE_REQUIRED: toggle('off').meta({ description: 'also ask for a sent code after a password' }),
  POSTERN_LOG_IN_AFTER_PASSWORD_RESET: toggle('off').meta({
    description: 'whether a password reset also logs in, as far as the login asks nothing more',
  }),
  POSTERN_SMTP_URL: z
    .string()
    .refine((text) => /^smtps?:\/\/[^/]/.test(text) && URL.canParse(text), 'is not an smtp:// or smtps:// URL')
    .optional()
    .meta({
      shown: 'the development outbox',
      description: 'the mail server, such as `smtp://user:pass@host:587`; without one, mails are shown at `/outbox`',
    }),
  POSTERN_MAIL_FROM: mailbox.optional().meta({
    shown: '`Postern <no-reply@localhost>`',
    description: 'the sender of mails; if not set, the name of the product at the host of the public URL',
  }),
  POSTERN_MAIL_UNKNOWN_ACCOUNTS: toggle('on').meta({
    description: 'whether an address without an account is told so when a code or a reset is asked for',
  }),
  POSTERN_PRODUCT_NAME: line('Postern', 100).meta({ description: 'the product, as messages call it' }),
  POSTERN_MAIL_COLOR: z
    .string()
    .regex(/^#[0-9a-f]{6}$/i, 'is not a colour such as #1d4ed8')
    .default('#1d4ed8')
    .meta({ description: 'the colour of buttons and codes in mails; a `.env` file needs quotes around it' }),
  POSTERN_MAIL_LOGO_URL: z
    .string()
    .refine((text) => originOf(text) !== null, { message: 'is not an http or https URL' })
    .transform((text) => new URL(text).href)
    .optional()
    .meta({ shown: 'none', description: 'a picture at the head of mails' }),
  POSTERN_URL_VERIFY_EMAIL: linkTemplate('{frontend}/verify-email?token={token}').meta({
    description: 'where the link leads that verifies an address; `{frontend}` is the frontend URL',
  }),
  POSTERN_URL_RESET_PASSWORD: linkTemplate('{frontend}/reset-password?token={token}').meta({
    description: 'where the link leads that resets a password',
  }),
  POSTERN_URL_LOG_IN: linkTemplate('{frontend}/log-in?token={token}').meta({
    description: 'where the link leads that logs in',
  }),
  POSTERN_URL_CONFIRM_EMAIL_CHANGE: linkTemplate('{frontend}/confirm-email?token={token}').meta({
    description: 'where the link leads that adds an address to an account',
  }),
  POSTERN_URL_ACCEPT_INVITATION: linkTemplate('{frontend}/accept-invitation?token={token}').meta({
    description: 'where the link leads by which somebody accepts an invitation',
  }),
  POSTERN_PASSWORD_MIN_LENGTH: count(8, { min: 8, max: 256 }).meta({
    description: 'the shortest password, in code points',
  }),
  POSTERN_PASSWORD_HASH: z
    .string()
    .default('m=47104,t=1,p=1')
    .transform(parsePasswordHash)
    .meta({ shown: 'm=47104,t=1,p=1', description: 'argon2id: memory in KiB, passes, lanes' }),
  POSTERN_BREACHED_PASSWORDS: toggle('off').meta({
    description:
      'ask a range service whether a new password is in a known breach; only five characters of its SHA-1 leave the machine',
  }),
  POSTERN_BREACHED_PASSWORDS_URL: webUrl
    .default('https://api.pwnedpasswords.com/range/')
    .meta({ description: 'the range service' }),
  POSTERN_SESSION_LIFETIME: duration('30d').meta({
    description: 'a session ends then, whatever happens',
  }),
  POSTERN_SESSION_IDLE: duration('7d').meta({ description: 'a session ends after this time without use' }),
  POSTERN_EVENT_RETENTION: duration('400d').meta({
    description: 'how long events are kept: the audit trail, and what clients may resume from',
  }),
  POSTERN_ACCESS_TOKEN_LIFETIME: duration('5m').meta({
    description: 'the lifetime of a JWT; 15m at most',
  }),
  POSTERN_REFRESH_TOKEN_LIFETIME: duration('30d').meta({
    description: 'the lifetime of a refresh token, within that of its session',
  }),
  POSTERN_ACCESS_TOKEN_ALG: choice(ACCESS_TOKEN_ALGORITHMS)
    .default('ES256')
    .meta({ description: 'the algorithm of new signing keys' }),
  POSTERN_ACCESS_TOKEN_AUDIENCE: z
    .string()
    .min(1)
    .optional()
    .meta({ shown: 'the public URL', description: 'the `aud` of a JWT' }),
  POSTERN_SIGNING_KEY_LIFETIME: duration('90d').meta({
    description: 'a signing key is replaced after this time',
  }),
  POSTERN_SERVICES: list('').meta({
    shown: 'none',
    description:
      'the services that may ask at `/introspect` whose a token is: `id:secret`, with commas; a secret has 32 bytes or more, and an id may have two, to rotate',
  }),
  POSTERN_HASURA: toggle('off').meta({
    description:
      'whether JWTs carry the claims of Hasura, and `/hasura` is its auth webhook; in Hasura the role `admin` may do everything',
  }),
  POSTERN_REAUTHENTICATION_WINDOW: duration('15m').meta({ description: 'how long a proof stays fresh' }),
  POSTERN_PENDING_LOGIN_LIFETIME: duration('15m').meta({
    description: 'how long an unfinished login may take',
  }),
  POSTERN_MFA_FACTORS: choices(['totp', 'passkey', 'recovery_codes'], 'totp,passkey,recovery_codes').meta({
    description: 'the second factors that people may set up, with commas: totp, passkey, recovery_codes',
  }),
  POSTERN_MFA_REQUIRED: z.string().default('off').transform(parseMfaRequired).meta({
    shown: 'off',
    description: 'who must have a second factor: off, everyone, or roles such as `role:admin,role:staff`',
  }),
  POSTERN_TOTP_ISSUER: z
    .string()
    .regex(
      /^[^\p{C}\p{Z}:](?:[^\p{C}\p{Zl}\p{Zp}:]{0,99})$/u,
      'is not a name of at most 100 characters, without a colon',
    )
    .optional()
    .meta({
      shown: 'the host of the public URL',
      description: 'the name under which authenticator apps show their codes',
    }),
  POSTERN_TOTP_PERIOD: duration('30s').meta({ description: 'how long a code of an authenticator app is shown' }),
  POSTERN_TOTP_DIGITS: choice(['6', '7', '8'])
    .default('6')
    .meta({ description: 'the digits of such a code; most apps know six only' }),
  POSTERN_RECOVERY_CODES: count(10, { min: 1, max: 50 }).meta({ description: 'how many recovery codes there are' }),
  POSTERN_PASSKEY_RP_ID: z
    .string()
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/, 'is not a host such as app.example')
    .optional()
    .meta({
      shown: 'the host of the frontend URL',
      description: 'the domain that passkeys are bound to; a change makes all passkeys useless',
    }),
  POSTERN_PASSKEY_ORIGINS: list('').meta({
    shown: 'the origin of the frontend URL',
    description: 'the pages that may ask for a passkey: exact origins, with commas',
  }),
  POSTERN_PASSWORDLESS_SIGN_UP: toggle('off').meta({
    description: 'signing up with a passkey instead of a password',
  }),
  POSTERN_TRUSTED_DEVICE_LIFETIME: duration('30d', { zero: true }).meta({
    description: 'how long a trusted device need not show a second factor; 0 trusts none',
  }),
  POSTERN_PROVIDERS: z.string().default('[]').transform(parseJsonList).meta({
    shown: 'none',
    description:
      'the providers that people may log in with: a JSON list, such as `[{"id":"google","clientId":"…","clientSecret":"…"}]`',
  }),
  POSTERN_REDIRECT_URLS: list('').meta({
    shown: 'the pages of the frontend',
    description:
      'where a login at a provider may come back to, with commas: exact URLs, or an origin followed by `/*`; URLs of apps too',
  }),
  POSTERN_SOCIAL_LINKING: choice(['ask', 'verified', 'never']).default('ask').meta({
    description:
      'what becomes of a login at a provider with the verified address of an account: `ask` for a proof of the account, link where both sides `verified` the address, or `never`',
  }),
  POSTERN_SOCIAL_AUTO_SIGN_UP: toggle('on').meta({
    description: 'whether the first login at a provider makes an account at once, if nothing is missing',
  }),
  POSTERN_STORE_PROVIDER_TOKENS: toggle('off').meta({
    description: 'keep the tokens of providers, sealed, for calls to them later',
  }),
  POSTERN_WEBHOOKS: z.string().default('[]').transform(parseJsonList).meta({
    shown: 'none',
    description:
      'the webhooks that are told of events: a JSON list, such as `[{"id":"crm","url":"https://…","secret":"whsec_…","events":["SignedUp"]}]`',
  }),
  POSTERN_RATE_LIMITS: z
    .string()
    .default('{}')
    .transform((text, context) => {
      const limits = parseRateLimits(text);
      if (typeof limits !== 'string') return limits;
      context.addIssue({ code: 'custom', message: limits });
      return z.NEVER;
    })
    .meta({ shown: 'the defaults', description: 'JSON of overrides by name, or `off` (refused in production)' }),
  POSTERN_INTROSPECTION: choice(['on', 'off'])
    .optional()
    .meta({ shown: '`on`, in production `off`', description: 'whether clients may read the schema' }),
  POSTERN_GRAPHIQL: choice(['on', 'off'])
    .optional()
    .meta({ shown: '`on`, in production `off`', description: 'whether a browser gets GraphiQL' }),
  POSTERN_LOG_LEVEL: choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .meta({ description: 'the least severe line to log' }),
});

const LINK_SETTINGS = [
  'POSTERN_URL_VERIFY_EMAIL',
  'POSTERN_URL_RESET_PASSWORD',
  'POSTERN_URL_LOG_IN',
  'POSTERN_URL_CONFIRM_EMAIL_CHANGE',
  'POSTERN_URL_ACCEPT_INVITATION',
] as const;

/** The environment variables that Postern reads, as strings. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything an operator decides, checked and complete. Durations in milliseconds, URLs without a trailing slash. */
export interface Config {
  readonly production: boolean;
  readonly host: string;
  readonly port: number;
  /** Null: the embedded PostgreSQL in the data folder. */
  readonly databaseUrl: string | null;
  readonly databaseConnections: number;
  /** Null: there is none, and PostgreSQL does everything. */
  readonly redisUrl: string | null;
  readonly dataDir: string;
  /** The issuer, and the origin of every link. */
  readonly publicUrl: string;
  readonly frontendUrl: string;
  readonly allowedOrigins: readonly string[];
  readonly trustedProxies: number;
  /** The first seals, all open. Empty: take the one in the data folder. */
  readonly secrets: readonly string[];
  readonly signUp: 'open' | 'invite' | 'closed';
  readonly invitationLifetime: number;
  /** The roles of administrators. None: administration over GraphQL is off. */
  readonly adminRoles: readonly string[];
  readonly loginIdentifiers: readonly ('EMAIL' | 'USERNAME' | 'PHONE')[];
  readonly emailVerification: 'MANDATORY' | 'OPTIONAL' | 'NONE';
  /** Whether a code or link that was sent is a way to log in. */
  readonly loginCodes: boolean;
  /** Whether a login by password asks for a sent code too. */
  readonly loginCodeRequired: boolean;
  readonly logInAfterPasswordReset: boolean;
  /** Whether an address without an account is told so. */
  readonly mailUnknownAccounts: boolean;
  readonly mail: {
    /** Null: the development outbox. */
    readonly smtpUrl: string | null;
    /** One mailbox, as a header writes it. */
    readonly from: string;
    readonly product: string;
    /** `#rrggbb` */
    readonly color: string;
    readonly logoUrl: string | null;
  };
  /** Where the links of mails lead. */
  readonly links: {
    readonly verifyEmail: LinkTemplate;
    readonly resetPassword: LinkTemplate;
    readonly logIn: LinkTemplate;
    readonly confirmEmailChange: LinkTemplate;
    readonly acceptInvitation: LinkTemplate;
  };
  readonly password: {
    readonly minLength: number;
    readonly hash: { readonly memoryKiB: number; readonly iterations: number; readonly parallelism: number };
    /** Null: new passwords are not looked up. */
    readonly breachedUrl: string | null;
  };
  readonly session: { readonly lifetime: number; readonly idle: number };
  /** Milliseconds, as all durations. */
  readonly eventRetention: number;
  readonly accessToken: {
    readonly lifetime: number;
    readonly algorithm: (typeof ACCESS_TOKEN_ALGORITHMS)[number];
    readonly audience: string;
    readonly keyLifetime: number;
  };
  readonly refreshToken: { readonly lifetime: number };
  /** Who may introspect tokens. Of one id there may be two. */
  readonly services: readonly ServiceCredential[];
  /** Whether Hasura is told who somebody is. */
  readonly hasura: boolean;
  readonly reauthenticationWindow: number;
  readonly pendingLoginLifetime: number;
  readonly mfa: {
    /** What may be set up. */
    readonly factors: readonly FactorName[];
    /** Who must have a second factor: nobody, everyone, or who has one of these roles. */
    readonly required: 'off' | 'everyone' | readonly string[];
    readonly totp: { readonly issuer: string; readonly period: number; readonly digits: 6 | 7 | 8 };
    readonly recoveryCodes: number;
    /** 0: no device is trusted. */
    readonly trustedDeviceLifetime: number;
  };
  readonly passkeys: {
    readonly rpId: string;
    readonly origins: readonly string[];
    /** Whether a passkey may take the place of a password in a sign-up. */
    readonly signUp: boolean;
  };
  readonly social: {
    readonly providers: readonly Provider[];
    /** Where a login at a provider may come back to. */
    readonly redirects: readonly RedirectRule[];
    readonly linking: 'ask' | 'verified' | 'never';
    readonly autoSignUp: boolean;
    readonly storeTokens: boolean;
  };
  readonly webhooks: readonly WebhookEndpoint[];
  readonly rateLimits: RateLimits;
  readonly introspection: boolean;
  readonly graphiql: boolean;
  readonly logLevel: string;
}

/** All that is wrong with the settings, a line each, by name and without the values. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The settings do not fit:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** The process's environment, with a `.env` file of the working folder below it. */
export function readEnvironment(): Environment {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return process.env;
}

/** A `.env` file of the working folder. */
export interface EnvironmentFile {
  /** What it sets, and the environment does not. */
  readonly names: readonly string[];
  /** Its permissions, such as 0o600. */
  readonly mode: number;
}

/** Looks at the `.env` file, if there is one. To be called before {@link readEnvironment}, which puts the two together. */
export function readEnvironmentFile(): EnvironmentFile | null {
  if (!existsSync('.env')) return null;
  const names = Object.keys(parseEnv(readFileSync('.env', 'utf8')));
  return { names: names.filter((name) => process.env[name] === undefined), mode: statSync('.env').mode & 0o777 };
}

/**
 * Keeps a tool of tests out of production.
 * @throws Error if NODE_ENV is `production`, or nearly
 */
export function refuseInProduction(what: string): void {
  if (/^prod/i.test(process.env.NODE_ENV ?? ''))
    throw new Error(`${what} is for tests, and NODE_ENV is production: it logs anybody in as anybody`);
}

/** What is set up in code beside the environment: providers, webhooks, and whether a hook sends mails. */
export interface SetUpInCode {
  readonly providers?: readonly ProviderEntry[];
  readonly webhooks?: readonly WebhookEntry[];
  readonly hooks?: { readonly sendMail?: unknown };
}

/**
 * Checks the settings and completes them.
 * @throws ConfigError naming every problem at once
 */
export function loadConfig(environment: Environment, more: SetUpInCode = {}): Config {
  const { config, problems } = examineSettings(environment, more);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/**
 * Completes the settings as far as they can be read, for who has to look at all of them.
 * @returns the config, with defaults in place of what cannot be read, and a line for each problem, which begins with the
 * name of the setting
 */
export function examineSettings(
  environment: Environment,
  more: SetUpInCode = {},
): { readonly config: Config; readonly problems: readonly string[] } {
  // An empty variable is how shells and compose files write "not set".
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const malformed = settings.safeParse(given).error?.issues ?? [];
  const malformedNames = new Set(malformed.map(({ path }) => String(path[0])));
  // With their defaults in place of what cannot be read, the others are looked at too: all problems at once.
  const readable = settings.parse(
    Object.fromEntries(Object.entries(given).filter(([name]) => !malformedNames.has(name))),
  );
  const { providers, problems: unfitProviders } = readProviders([
    ...readable.POSTERN_PROVIDERS,
    ...(more.providers ?? []),
  ]);
  const { webhooks, problems: unfitWebhooks } = readWebhooks([...readable.POSTERN_WEBHOOKS, ...(more.webhooks ?? [])], {
    production: readable.NODE_ENV === 'production',
  });
  const config = complete(readable, providers, webhooks);
  const unfit = [
    ...unfitProviders.map((problem) => `POSTERN_PROVIDERS ${problem}`),
    ...unfitWebhooks.map((problem) => `POSTERN_WEBHOOKS ${problem}`),
    ...inconsistencies(config, readable),
    ...(config.production ? productionProblems(config, given, more.hooks?.sendMail !== undefined) : []),
  ];
  const problems = [
    ...malformed.map(({ path, message }) => `${path.join('.')} ${message}`),
    ...unfit.filter((problem) => !malformedNames.has(problem.split(' ')[0] ?? '')),
  ];
  return { config, problems };
}

/** Names that begin like a setting of ours but are none: typing errors, or settings of another version. */
export function unknownSettings(environment: Environment): string[] {
  return Object.keys(environment).filter((name) => name.startsWith('POSTERN_') && !(name in settings.shape));
}

/** One row of the table of settings. */
export interface SettingHelp {
  readonly name: string;
  readonly default: string;
  readonly meaning: string;
}

/** The table of settings, for `postern --help`, `.env.example` and the README. */
export function describeSettings(): SettingHelp[] {
  return Object.entries(settings.shape).map(([name, schema]) => {
    const { shown, description = '' } = schema.meta() as { shown?: string; description?: string };
    const fallback = schema.safeParse(undefined);
    return { name, default: shown ?? String(fallback.data ?? ''), meaning: `${description}${choicesOf(schema)}` };
  });
}

function choicesOf(schema: z.ZodType): string {
  const inner = schema instanceof z.ZodDefault || schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  return inner instanceof z.ZodEnum ? `: ${inner.options.join(', ')}` : '';
}

function complete(
  given: z.output<typeof settings>,
  providers: readonly Provider[],
  webhooks: readonly WebhookEndpoint[],
): Config {
  const production = given.NODE_ENV === 'production';
  const publicUrl = withoutSlash(given.POSTERN_PUBLIC_URL ?? `http://localhost:${given.PORT}`);
  const frontendUrl = withoutSlash(given.POSTERN_FRONTEND_URL ?? publicUrl);
  // Somebody who tries Postern out opens either name of their own machine.
  const own = given.POSTERN_PUBLIC_URL
    ? [publicUrl, frontendUrl]
    : [publicUrl, `http://127.0.0.1:${given.PORT}`, frontendUrl];
  const origins = [...own, ...given.POSTERN_ALLOWED_ORIGINS].map((url) => originOf(url) ?? appOriginOf(url) ?? url);
  const development = production ? 'off' : 'on';
  return {
    production,
    host: given.HOST,
    port: given.PORT,
    databaseUrl: given.DATABASE_URL ?? null,
    databaseConnections: given.POSTERN_DATABASE_CONNECTIONS,
    redisUrl: given.POSTERN_REDIS_URL ?? null,
    dataDir: given.POSTERN_DATA_DIR,
    publicUrl,
    frontendUrl,
    allowedOrigins: [...new Set(origins)],
    trustedProxies: given.POSTERN_TRUSTED_PROXIES,
    secrets: given.POSTERN_SECRET,
    signUp: given.POSTERN_SIGN_UP,
    invitationLifetime: given.POSTERN_INVITATION_LIFETIME,
    adminRoles: given.POSTERN_ADMIN_ROLES,
    loginIdentifiers: given.POSTERN_LOGIN_IDENTIFIERS.map(inCapitals),
    emailVerification: inCapitals(given.POSTERN_EMAIL_VERIFICATION),
    loginCodes: given.POSTERN_LOGIN_CODES === 'on',
    loginCodeRequired: given.POSTERN_LOGIN_CODE_REQUIRED === 'on',
    logInAfterPasswordReset: given.POSTERN_LOG_IN_AFTER_PASSWORD_RESET === 'on',
    mailUnknownAccounts: given.POSTERN_MAIL_UNKNOWN_ACCOUNTS === 'on',
    mail: {
      smtpUrl: given.POSTERN_SMTP_URL ?? null,
      from: given.POSTERN_MAIL_FROM ?? writeMailbox(given.POSTERN_PRODUCT_NAME, `no-reply@${mailHostOf(publicUrl)}`),
      product: given.POSTERN_PRODUCT_NAME,
      color: given.POSTERN_MAIL_COLOR,
      logoUrl: given.POSTERN_MAIL_LOGO_URL ?? null,
    },
    links: {
      verifyEmail: withFrontend(given.POSTERN_URL_VERIFY_EMAIL, frontendUrl),
      resetPassword: withFrontend(given.POSTERN_URL_RESET_PASSWORD, frontendUrl),
      logIn: withFrontend(given.POSTERN_URL_LOG_IN, frontendUrl),
      confirmEmailChange: withFrontend(given.POSTERN_URL_CONFIRM_EMAIL_CHANGE, frontendUrl),
      acceptInvitation: withFrontend(given.POSTERN_URL_ACCEPT_INVITATION, frontendUrl),
    },
    password: {
      minLength: given.POSTERN_PASSWORD_MIN_LENGTH,
      hash: given.POSTERN_PASSWORD_HASH,
      breachedUrl: given.POSTERN_BREACHED_PASSWORDS === 'on' ? given.POSTERN_BREACHED_PASSWORDS_URL : null,
    },
    session: { lifetime: given.POSTERN_SESSION_LIFETIME, idle: given.POSTERN_SESSION_IDLE },
    eventRetention: given.POSTERN_EVENT_RETENTION,
    accessToken: {
      lifetime: given.POSTERN_ACCESS_TOKEN_LIFETIME,
      algorithm: given.POSTERN_ACCESS_TOKEN_ALG,
      audience: given.POSTERN_ACCESS_TOKEN_AUDIENCE ?? publicUrl,
      keyLifetime: given.POSTERN_SIGNING_KEY_LIFETIME,
    },
    refreshToken: { lifetime: given.POSTERN_REFRESH_TOKEN_LIFETIME },
    hasura: given.POSTERN_HASURA === 'on',
    services: given.POSTERN_SERVICES.map(parseServiceCredential).filter((service) => service !== null),
    reauthenticationWindow: given.POSTERN_REAUTHENTICATION_WINDOW,
    pendingLoginLifetime: given.POSTERN_PENDING_LOGIN_LIFETIME,
    mfa: {
      factors: given.POSTERN_MFA_FACTORS.map((factor) => MFA_FACTORS[factor]),
      required: given.POSTERN_MFA_REQUIRED,
      totp: {
        issuer: given.POSTERN_TOTP_ISSUER ?? new URL(publicUrl).hostname,
        period: Math.round(given.POSTERN_TOTP_PERIOD / 1_000),
        digits: Number(given.POSTERN_TOTP_DIGITS) as 6 | 7 | 8,
      },
      recoveryCodes: given.POSTERN_RECOVERY_CODES,
      trustedDeviceLifetime: given.POSTERN_TRUSTED_DEVICE_LIFETIME,
    },
    passkeys: {
      rpId: given.POSTERN_PASSKEY_RP_ID ?? new URL(frontendUrl).hostname,
      origins: given.POSTERN_PASSKEY_ORIGINS.length > 0 ? given.POSTERN_PASSKEY_ORIGINS : [new URL(frontendUrl).origin],
      signUp: given.POSTERN_PASSWORDLESS_SIGN_UP === 'on',
    },
    social: {
      providers,
      redirects: redirectsOf(given, given.POSTERN_PUBLIC_URL ? [frontendUrl] : own),
      linking: given.POSTERN_SOCIAL_LINKING,
      autoSignUp: given.POSTERN_SOCIAL_AUTO_SIGN_UP === 'on',
      storeTokens: given.POSTERN_STORE_PROVIDER_TOKENS === 'on',
    },
    webhooks,
    rateLimits: given.POSTERN_RATE_LIMITS,
    introspection: (given.POSTERN_INTROSPECTION ?? development) === 'on',
    graphiql: (given.POSTERN_GRAPHIQL ?? development) === 'on',
    logLevel: given.POSTERN_LOG_LEVEL,
  };
}

function inconsistencies(config: Config, given: z.output<typeof settings>): string[] {
  const problems: string[] = [];
  if (/^prod/i.test(given.NODE_ENV) && !config.production)
    problems.push('NODE_ENV is nearly production, but not quite');
  if (config.secrets.some((secret) => Buffer.byteLength(secret) < 32)) {
    problems.push('POSTERN_SECRET has an entry of less than 32 bytes');
  }
  for (const origin of given.POSTERN_ALLOWED_ORIGINS.map(withoutSlash)) {
    if (originOf(origin)?.toLowerCase() !== origin.toLowerCase() && appOriginOf(origin) === null)
      problems.push('POSTERN_ALLOWED_ORIGINS has an entry that is not an origin such as https://app.example');
  }
  if (!config.loginIdentifiers.includes('EMAIL') && !config.loginIdentifiers.includes('PHONE')) {
    problems.push('POSTERN_LOGIN_IDENTIFIERS has neither email nor phone: who forgets a password could not come back');
  }
  if (config.loginCodeRequired && !config.loginCodes) {
    problems.push('POSTERN_LOGIN_CODE_REQUIRED is on, but POSTERN_LOGIN_CODES is off');
  }
  if (config.passkeys.signUp && config.emailVerification !== 'MANDATORY') {
    problems.push('POSTERN_PASSWORDLESS_SIGN_UP is on, but POSTERN_EMAIL_VERIFICATION is not mandatory');
  }
  if (config.passkeys.signUp && !config.mfa.factors.includes('PASSKEY')) {
    problems.push('POSTERN_PASSWORDLESS_SIGN_UP is on, but POSTERN_MFA_FACTORS has no passkey');
  }
  if (config.mfa.required !== 'off' && config.mfa.factors.every((factor) => factor === 'RECOVERY_CODE')) {
    problems.push('POSTERN_MFA_REQUIRED asks for a second factor, but POSTERN_MFA_FACTORS has none to set up');
  }
  if (config.mfa.totp.period < 10 || config.mfa.totp.period > 120) {
    problems.push('POSTERN_TOTP_PERIOD is not between 10s and 120s');
  }
  if (!config.passkeys.rpId.includes('.') && config.passkeys.rpId !== new URL(config.frontendUrl).hostname) {
    problems.push('POSTERN_PASSKEY_RP_ID is not a domain that belongs to somebody');
  }
  for (const origin of config.passkeys.origins) {
    // An Android app is known by the certificate that signed it.
    if (/^android:apk-key-hash:[\w-]{43}$/.test(origin)) continue;
    if (originOf(origin) !== origin) problems.push('POSTERN_PASSKEY_ORIGINS has an entry that is not an origin');
    else if (!isWithin(new URL(origin).hostname, config.passkeys.rpId))
      problems.push('POSTERN_PASSKEY_ORIGINS has an entry that is not within POSTERN_PASSKEY_RP_ID');
  }
  if (given.POSTERN_REDIRECT_URLS.some((text) => parseRedirectRule(text) === null)) {
    problems.push('POSTERN_REDIRECT_URLS has an entry that is neither a URL nor an origin followed by /*');
  }
  if (config.services.length < given.POSTERN_SERVICES.length) {
    problems.push('POSTERN_SERVICES has an entry that is not id:secret with a secret of at least 32 bytes');
  }
  if (config.services.some(({ id }) => config.services.filter((other) => other.id === id).length > 2)) {
    problems.push('POSTERN_SERVICES has more than two secrets of one id');
  }
  if (config.accessToken.lifetime > 900_000) problems.push('POSTERN_ACCESS_TOKEN_LIFETIME is longer than 15m');
  return problems;
}

function productionProblems(config: Config, given: Environment, sendsMails: boolean): string[] {
  const problems: string[] = [];
  if (!config.databaseUrl) problems.push('DATABASE_URL is needed in production');
  if (config.secrets.length === 0) problems.push('POSTERN_SECRET is needed in production: 32 random bytes or more');
  if (config.secrets.some(isGuessable)) problems.push('POSTERN_SECRET has an entry that anybody would guess');
  if (config.services.some(({ secret }) => isGuessable(secret)))
    problems.push('POSTERN_SERVICES has a secret that anybody would guess');
  if (config.webhooks.some(({ secrets }) => secrets.some((secret) => new Set(secret).size < 8)))
    problems.push('POSTERN_WEBHOOKS has a secret that anybody would guess');
  if (!config.publicUrl.startsWith('https://')) problems.push('POSTERN_PUBLIC_URL is needed in production, with https');
  if (!given.POSTERN_SMTP_URL && !sendsMails) problems.push('POSTERN_SMTP_URL is needed in production');
  if (isPlain(given.POSTERN_FRONTEND_URL ?? ''))
    problems.push('POSTERN_FRONTEND_URL needs https in production: mails link to it');
  for (const name of LINK_SETTINGS) {
    if (isPlain(given[name] ?? '')) problems.push(`${name} needs https in production: its link carries a token`);
  }
  if (given.POSTERN_PASSKEY_ORIGINS && config.passkeys.origins.some(isPlain))
    problems.push('POSTERN_PASSKEY_ORIGINS needs https in production');
  if (config.mail.logoUrl?.startsWith('http:')) problems.push('POSTERN_MAIL_LOGO_URL needs https in production');
  if (config.password.hash.memoryKiB * config.password.hash.iterations < 32_768) {
    problems.push('POSTERN_PASSWORD_HASH is too cheap for production');
  }
  if (config.social.redirects.some((rule) => isPlain(rule.kind === 'exact' ? rule.url : rule.origin)))
    problems.push('POSTERN_REDIRECT_URLS needs https in production');
  if (given.POSTERN_RATE_LIMITS === 'off') problems.push('POSTERN_RATE_LIMITS may not be off in production');
  return problems;
}

/** Where the frontend is, unless the operator says otherwise: somebody who tries Postern out opens either name. */
function redirectsOf(
  { POSTERN_REDIRECT_URLS: given }: z.output<typeof settings>,
  own: readonly string[],
): RedirectRule[] {
  const texts = given.length > 0 ? given : own.map((url) => `${originOf(url)}/*`);
  return texts.map(parseRedirectRule).filter((rule) => rule !== null);
}

function parseJsonList(text: string, context: z.RefinementCtx): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value;
  } catch {
    // Told below, without the text: it holds secrets.
  }
  context.addIssue({ code: 'custom', message: 'is not a JSON list' });
  return z.NEVER;
}

// Repeated characters and the words of examples have the length of a secret, not its strength.
function isGuessable(secret: string): boolean {
  return (
    new Set(secret).size < 8 || /change.?me|example|placeholder|your.?secret|not.?a.?secret|password/i.test(secret)
  );
}

function parsePasswordHash(text: string, context: z.RefinementCtx) {
  const [, memory, passes, lanes] = /^m=(\d{1,8}),t=(\d{1,3}),p=(\d{1,2})$/.exec(text) ?? [];
  const parameters = { memoryKiB: Number(memory), iterations: Number(passes), parallelism: Number(lanes) };
  // RFC 9106 §3.1: at least 8 KiB for each lane. More than one lane only takes cores from the other logins.
  if (parameters.memoryKiB >= 8 && parameters.iterations >= 1 && parameters.parallelism === 1) return parameters;
  context.addIssue({ code: 'custom', message: 'is not like m=47104,t=1,p=1, with at least 8 KiB and one lane' });
  return z.NEVER;
}

const MFA_FACTORS = { totp: 'TOTP', passkey: 'PASSKEY', recovery_codes: 'RECOVERY_CODE' } as const;

function parseMfaRequired(text: string, context: z.RefinementCtx): Config['mfa']['required'] {
  if (text === 'off' || text === 'everyone') return text;
  const roles = text.split(',').map((entry) => /^ *role:([^ ,]+) *$/.exec(entry)?.[1] ?? '');
  if (roles.every((role) => role !== '')) return roles;
  context.addIssue({
    code: 'custom',
    message: 'is neither off, nor everyone, nor roles such as role:admin,role:staff',
  });
  return z.NEVER;
}

function parseAdminRoles(text: string, context: z.RefinementCtx): readonly string[] {
  if (text === 'off') return [];
  const roles = parseRoles(text.split(',').map((role) => role.trim()));
  if (roles && roles.length > 0) return roles;
  context.addIssue({ code: 'custom', message: 'is neither off nor a list of roles such as admin,support' });
  return z.NEVER;
}

/** Whether a page of this host may use passkeys of that domain (WebAuthn Level 3 §5.1.2). */
function isWithin(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}

/** Whether anybody on the way can read what a URL carries. What stays on one machine passes nobody. */
function isPlain(url: string): boolean {
  return /^http:\/\/(?!(?:localhost|127\.0\.0\.1|\[::1\])(?:[:/?#]|$))/i.test(url);
}

function mailHostOf(url: string): string {
  const { hostname } = new URL(url);
  return hostname.startsWith('[') || isIP(hostname) !== 0 ? 'localhost' : hostname;
}

function inCapitals<const T extends string>(text: T): Uppercase<T> {
  return text.toUpperCase() as Uppercase<T>;
}
