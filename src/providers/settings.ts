import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';
import { at, object, profileOf, standardProfile, text } from './claims.ts';
import { type Given, type Preset, presets } from './presets.ts';
import type { ClientAuthentication, OAuth2, OpenIdConnect, Protocol, Provider, ProviderAnswer } from './provider.ts';

/** What an operator writes of a provider. Which of it is needed depends on the provider. */
export interface ProviderEntry {
  /** By which clients and callbacks name it: lower-case letters, digits, hyphens. */
  readonly id: string;
  /** `oidc`, `oauth2`, or a provider that is known; if left out, the one of the id. */
  readonly type?: string;
  /** As people know it. */
  readonly name?: string;
  readonly clientId: string;
  readonly clientSecret?: string;
  /** Further client ids of the operator, such as those of native apps. */
  readonly clientIds?: readonly string[];
  readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post' | 'none';
  /** Exactly as the metadata of the provider write it. */
  readonly issuer?: string;
  readonly scope?: string | readonly string[];
  readonly authorizationEndpoint?: string;
  readonly tokenEndpoint?: string;
  readonly userInfoEndpoint?: string;
  /** Further parameters of the authorization request, such as `prompt`. */
  readonly authorizationParameters?: Readonly<Record<string, string>>;
  readonly idTokenAlgorithm?: string;
  /** Whether apps may log in with ID tokens that they got from the provider by themselves. */
  readonly acceptsTokens?: boolean;
  /** Whether its addresses count as verified; if left out, it is believed what it says of each. */
  readonly verifiedEmail?: boolean;
  /** Whether its UserInfo endpoint is asked. */
  readonly userInfo?: boolean;
  /** For `oauth2`: where in the answer what stands, such as `data.id`. */
  readonly claims?: Partial<Record<ClaimName, string>>;
  /** What the provider asks for beside: `tenant`, `domain`, `realm`, `teamId`, … */
  readonly [parameter: string]: unknown;
}

type ClaimName = 'subject' | 'email' | 'emailVerified' | 'name' | 'username';

const ENDPOINTS = ['authorizationEndpoint', 'tokenEndpoint', 'userInfoEndpoint'];

const TYPES = ['oidc', 'oauth2', ...Object.keys(presets)];

/** What belongs to the protocol, and is never an operator's. */
const OWN_PARAMETERS: ReadonlySet<string> = new Set([
  ...['client_id', 'client_secret', 'redirect_uri', 'response_type', 'response_mode', 'scope', 'state', 'nonce'],
  ...['code_challenge', 'code_challenge_method', 'request', 'request_uri'],
  // What is asked for by name is what a preset reads: an operator's list would take its place.
  'claims',
]);

const webUrl = z
  .string()
  .refine((value) => URL.canParse(value) && isPrivateOnItsWay(value), 'is not an https URL')
  .refine((value) => !/[#\s\\]|\/\/[^/]*@/.test(value), 'has a fragment, a blank or a password');
const issuer = webUrl.refine((value) => !value.includes('?'), 'has a query');
const word = z.string().regex(/^[\x21-\x7e]{1,500}$/, 'is not a text without blanks');
const scopes = z.union([z.string(), z.array(z.string()).transform((all) => all.join(' '))]);

const entryShape = {
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,49}$/, 'is not made of lower-case letters, digits and hyphens'),
  type: z.enum(TYPES, { error: `is not one of ${TYPES.join(', ')}` }).optional(),
  name: z.string().trim().min(1, 'is empty').max(100, 'is too long').optional(),
  clientId: word,
  clientSecret: word.optional(),
  clientIds: z.array(word).optional(),
  clientAuthentication: z
    .enum(['client_secret_basic', 'client_secret_post', 'none'], {
      error: 'is not one of client_secret_basic, client_secret_post, none',
    })
    .optional(),
  issuer: issuer.optional(),
  scope: scopes.optional(),
  authorizationEndpoint: webUrl.optional(),
  tokenEndpoint: webUrl.optional(),
  userInfoEndpoint: webUrl.optional(),
  authorizationParameters: z.record(z.string(), z.string()).optional(),
  idTokenAlgorithm: z
    .enum(['ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512', 'EdDSA', 'Ed25519'], {
      error: 'is not an algorithm such as RS256 or ES256',
    })
    .optional(),
  acceptsTokens: z.boolean().optional(),
  verifiedEmail: z.boolean().optional(),
  userInfo: z.boolean().optional(),
  claims: z
    .strictObject({
      subject: z.string().optional(),
      email: z.string().optional(),
      emailVerified: z.string().optional(),
      name: z.string().optional(),
      username: z.string().optional(),
    })
    .optional(),
};

type Entry = z.output<z.ZodObject<typeof entryShape>>;

/** Apple signs with a key in the place of a secret. */
const appleKey = {
  teamId: word,
  keyId: word,
  privateKey: z.string().refine(isEs256Key, 'is not a private key for ES256 in PEM'),
};

/**
 * Makes the providers of what an operator wrote of them.
 * @param entries of the environment and of code, not checked yet
 * @returns the providers that fit, and every problem of the others by entry and name, without a value: some are secret
 */
export function readProviders(entries: readonly unknown[]): {
  readonly providers: readonly Provider[];
  readonly problems: readonly string[];
} {
  const providers: Provider[] = [];
  const problems: string[] = [];
  entries.forEach((entry, index) => {
    const { id } = typeof entry === 'object' && entry !== null ? (entry as { id?: unknown }) : {};
    const named = typeof id === 'string' && entryShape.id.safeParse(id).success ? id : `entry ${index + 1}`;
    const read = readProvider(entry);
    if (Array.isArray(read)) problems.push(...read.map((problem) => `${named}: ${problem}`));
    else if (providers.some((other) => other.id === (read as Provider).id))
      problems.push(`${named}: id is there twice`);
    else providers.push(read as Provider);
  });
  return { providers, problems };
}

/** One row of the table of known providers. */
export interface PresetHelp {
  readonly id: string;
  readonly name: string;
  readonly needs: string;
}

/** The known providers, for the README. */
export function describePresets(): PresetHelp[] {
  const rows = Object.entries<Preset>(presets).map(([id, { name, parameters = {}, clientAuthentication }]) => {
    const secrets = clientAuthentication === 'apple' ? Object.keys(appleKey) : ['clientSecret'];
    const more = Object.entries(parameters).map(([parameter, schema]) => {
      const fallback = schema.safeParse(undefined);
      if (!fallback.success) return `\`${parameter}\``;
      return fallback.data === undefined ? `\`${parameter}\` (optional)` : `\`${parameter}\` (\`${fallback.data}\`)`;
    });
    return { id, name, needs: [...secrets.map((secret) => `\`${secret}\``), ...more].join(', ') };
  });
  return [
    ...rows,
    { id: 'oidc', name: 'any OpenID Connect provider', needs: '`issuer`, `clientSecret`' },
    {
      id: 'oauth2',
      name: 'any OAuth 2.0 provider',
      needs: '`authorizationEndpoint`, `tokenEndpoint`, `userInfoEndpoint`, `clientSecret`, `claims` (optional)',
    },
  ];
}

function readProvider(entry: unknown): Provider | string[] {
  const { id, type = id } =
    typeof entry === 'object' && entry !== null ? (entry as { id?: unknown; type?: unknown }) : {};
  const preset = typeof type === 'string' && Object.hasOwn(presets, type) ? presetNamed(type) : null;
  const own = { ...preset?.parameters, ...(preset?.clientAuthentication === 'apple' ? appleKey : {}) };
  const parsed = z.strictObject({ ...entryShape, ...own }).safeParse(entry);
  const malformed = parsed.error?.issues.flatMap((issue) => problemsOf(issue, entry)) ?? [];
  // What is missing is looked for whatever else is wrong: all problems at once.
  const problems = [...malformed, ...inconsistencies(entry, preset)];
  if (!parsed.success || problems.length > 0) return [...new Set(problems)];
  const given = parsed.data as Entry & Given;
  const provider = assemble(given, preset);
  return addressesOf(provider.protocol).every(isPrivateOnItsWay) ? provider : ['url is not an https URL'];
}

function presetNamed(type: string): Preset {
  return presets[type as keyof typeof presets];
}

function problemsOf(issue: z.core.$ZodIssue, entry: unknown): string[] {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${path ? `${path}.` : ''}${key} is not known here`);
  if (issue.code === 'invalid_type') {
    const missing = path !== '' && at(entry, path) === undefined;
    return [missing ? `${path} is needed` : path ? `${path} is not a ${issue.expected}` : 'is not an object'];
  }
  // Every other message is one of ours, which quotes nothing.
  return [`${path} ${issue.code === 'invalid_union' ? 'is of another type' : issue.message}`];
}

/** @param entry not checked yet: a value of another kind is told of elsewhere, and counts as there */
function inconsistencies(entry: unknown, preset: Preset | null): string[] {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return [];
  const { id, type = id, clientSecret, clientAuthentication, authorizationParameters, ...others } = object(entry);
  const isKnown = preset !== null || type === 'oidc' || type === 'oauth2';
  // A type of its own that is none is told of by its check, an id that is none by that of the id.
  const isNamed = object(entry).type === undefined && entryShape.id.safeParse(id).success;
  const needed = type === 'oidc' ? ['issuer'] : type === 'oauth2' ? ENDPOINTS : [];
  const method = clientAuthentication ?? preset?.clientAuthentication;
  const needsSecret = isKnown && method !== 'none' && method !== 'apple';
  return [
    ...(!isKnown && isNamed ? [`type is needed, since no known provider is called so: ${TYPES.join(', ')}`] : []),
    ...needed.filter((name) => others[name] === undefined).map((name) => `${name} is needed`),
    ...(needsSecret && clientSecret === undefined ? ['clientSecret is needed'] : []),
    ...Object.keys(object(authorizationParameters))
      .filter((name) => OWN_PARAMETERS.has(name))
      .map((name) => `authorizationParameters.${name} belongs to the protocol`),
  ];
}

function assemble(entry: Entry & Given, preset: Preset | null): Provider {
  const known = preset?.protocol(entry) ?? null;
  const protocol = protocolOf(entry, known);
  const profile = preset ? (answer: ProviderAnswer) => preset.profile(answer) : profileReader(entry, protocol);
  const { verifiedEmail } = entry;
  return {
    id: entry.id,
    name: entry.name ?? preset?.name ?? entry.id,
    protocol,
    clientId: entry.clientId,
    clientIds: entry.clientIds ?? [],
    clientAuthentication: authenticationOf(entry, preset),
    scope: entry.scope ?? preset?.scope ?? (protocol.kind === 'oidc' ? 'openid email profile' : ''),
    authorizationParameters: { ...preset?.authorizationParameters, ...entry.authorizationParameters },
    formPost: preset?.formPost ?? false,
    acceptsTokens: protocol.kind === 'oidc' && (entry.acceptsTokens ?? true),
    profile(answer) {
      const told = profile(answer);
      return told && verifiedEmail !== undefined
        ? { ...told, emailVerified: verifiedEmail && told.email !== null }
        : told;
    },
  };
}

/** What the entry says takes the place of what is known. */
function protocolOf(entry: Entry, known: Protocol | null): Protocol {
  const kind = known?.kind ?? entry.type ?? entry.id;
  return kind === 'oauth2'
    ? byEndpoints(entry, known?.kind === 'oauth2' ? known : null)
    : byIssuer(entry, known?.kind === 'oidc' ? known : null);
}

function byIssuer(entry: Entry, known: OpenIdConnect | null): OpenIdConnect {
  return {
    kind: 'oidc',
    issuer: entry.issuer ?? known?.issuer ?? '',
    userInfo: entry.userInfo ?? known?.userInfo ?? true,
    idTokenAlgorithm: entry.idTokenAlgorithm ?? known?.idTokenAlgorithm ?? null,
  };
}

function byEndpoints(entry: Entry, known: OAuth2 | null): OAuth2 {
  const { userInfoEndpoint: userInfo } = entry;
  // A stand-in has everything of its own: the addresses of GitHub are read below the user.
  const others = Object.keys(known?.resources ?? {}).filter((name) => name !== 'userInfo');
  const replaced =
    userInfo && Object.fromEntries([['userInfo', userInfo], ...others.map((name) => [name, `${userInfo}/${name}`])]);
  return {
    kind: 'oauth2',
    authorizationEndpoint: entry.authorizationEndpoint ?? known?.authorizationEndpoint ?? '',
    tokenEndpoint: entry.tokenEndpoint ?? known?.tokenEndpoint ?? '',
    issuer: entry.issuer ?? known?.issuer ?? null,
    resources: replaced || (known?.resources ?? {}),
  };
}

function authenticationOf(entry: Entry & Given, preset: Preset | null): ClientAuthentication {
  const method = entry.clientAuthentication ?? preset?.clientAuthentication ?? 'client_secret_basic';
  if (method === 'none') return { method };
  if (method === 'apple') {
    const { teamId = '', keyId = '', privateKey = '' } = entry;
    return { method, teamId, keyId, privateKey };
  }
  return { method, clientSecret: entry.clientSecret ?? '' };
}

/** Where plain OAuth 2.0 providers tend to put things: the first that is there counts. */
const PLACES: Readonly<Record<ClaimName, readonly string[]>> = {
  subject: ['sub', 'id'],
  email: ['email'],
  emailVerified: ['email_verified', 'verified_email'],
  name: ['name'],
  username: ['preferred_username', 'login', 'username'],
};

function profileReader({ claims = {} }: Entry, { kind }: Protocol): Provider['profile'] {
  if (kind === 'oidc') return standardProfile;
  const read = ({ resources: { userInfo } }: ProviderAnswer, name: ClaimName) => {
    const places = claims[name] === undefined ? PLACES[name] : [claims[name]];
    return places.map((place) => at(userInfo, place)).find((value) => value !== undefined && value !== null);
  };
  return (answer) =>
    profileOf(read(answer, 'subject'), {
      email: read(answer, 'email'),
      // What is said at the usual place is said of the usual address, not of one that stands elsewhere.
      emailVerified:
        claims.email !== undefined && claims.emailVerified === undefined ? null : read(answer, 'emailVerified'),
      name: text(read(answer, 'name')),
      username: text(read(answer, 'username')),
    });
}

/** https, or http on this machine, where it passes nobody. */
function isPrivateOnItsWay(url: string): boolean {
  return /^(?:https:\/\/|http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?:[:/]|$))/i.test(url);
}

function addressesOf(protocol: Protocol): string[] {
  if (protocol.kind === 'oidc') return [protocol.issuer];
  return [protocol.authorizationEndpoint, protocol.tokenEndpoint, ...Object.values(protocol.resources)];
}

function isEs256Key(pem: string): boolean {
  try {
    const key = createPrivateKey(pem);
    // jose reads PKCS #8 only.
    return (
      /^-----BEGIN PRIVATE KEY-----/.test(pem.trim()) &&
      key.asymmetricKeyType === 'ec' &&
      key.asymmetricKeyDetails?.namedCurve === 'prime256v1'
    );
  } catch {
    return false;
  }
}
