import { z } from 'zod';
import { withoutSlash } from '../lib/setting.ts';
import {
  at,
  claimsOf,
  object,
  profileOf,
  profileWithWrittenTruth,
  standardProfile,
  text,
  wholeName,
} from './claims.ts';
import type { ClientAuthentication, Protocol, ProviderAnswer, ProviderProfile } from './provider.ts';

/** What is known of a provider, so that an operator need only write what they got from it. */
export interface Preset {
  /** As people know it. */
  readonly name: string;
  /** What an entry has to say beside the id and secret of the client, each with what it may be. */
  readonly parameters?: Readonly<Record<string, z.ZodType<string | undefined>>>;
  /** @param given the parameters of the entry, checked */
  protocol(given: Given): Protocol;
  readonly scope: string;
  readonly clientAuthentication?: ClientAuthentication['method'];
  readonly authorizationParameters?: Readonly<Record<string, string>>;
  readonly formPost?: true;
  /** Reads what it says of a person. Null if that names nobody. */
  profile(answer: ProviderAnswer): ProviderProfile | null;
}

/** Parameters by name. */
export type Given = Readonly<Record<string, string>>;

const OPENID = 'openid email profile';

const host = z.string().regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+(:\d{1,5})?$/i, 'is not a host such as acme.example.com');
const name = z.string().regex(/^[\w.-]{1,100}$/, 'is not a name');
const url = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:\/\/[^/?#\s@]+(\/[^?#\s]*)?$/.test(text), 'is not a URL');

/** OpenID Connect by an issuer. */
function oidc(issuer: string, { userInfo = true }: { readonly userInfo?: boolean } = {}): Protocol {
  return { kind: 'oidc', issuer, userInfo, idTokenAlgorithm: null };
}

/** OAuth 2.0 by endpoints. The first resource says who it is. */
function oauth2(
  authorizationEndpoint: string,
  tokenEndpoint: string,
  resources: Readonly<Record<string, string>>,
  issuer: string | null = null,
): Protocol {
  return { kind: 'oauth2', authorizationEndpoint, tokenEndpoint, resources, issuer };
}

/** The providers that are known, by the name that an entry gives as its type or id. To add one is to add an object. */
export const presets = {
  google: {
    name: 'Google',
    protocol: () => oidc('https://accounts.google.com', { userInfo: false }),
    scope: OPENID,
    profile: standardProfile,
  },

  microsoft: {
    name: 'Microsoft',
    parameters: { tenant: name.default('common') },
    protocol: ({ tenant }) => oidc(`https://login.microsoftonline.com/${tenant}/v2.0`, { userInfo: false }),
    scope: OPENID,
    // Whoever administers a tenant writes any address into it. Only this claim says that the domain is theirs.
    profile(answer) {
      const profile = standardProfile(answer);
      const edov = answer.idToken?.xms_edov;
      const owned = edov === true || edov === 1 || edov === '1' || edov === 'true';
      // It speaks of the address beside it, not of one that UserInfo tells.
      return profile && { ...profile, emailVerified: text(answer.idToken?.email) !== null && owned };
    },
  },

  apple: {
    name: 'Apple',
    protocol: () => oidc('https://appleid.apple.com', { userInfo: false }),
    scope: 'openid name email',
    clientAuthentication: 'apple',
    formPost: true,
    // The name comes beside the code, at the first consent and never again.
    profile(answer) {
      const profile = profileWithWrittenTruth(answer);
      const { firstName, lastName } = object(answer.redirect?.name);
      return profile && { ...profile, name: wholeName(firstName, lastName) };
    },
  },

  github: {
    name: 'GitHub',
    parameters: { url: url.default('https://github.com') },
    protocol({ url: base = '' }) {
      const { protocol, host: server } = new URL(base);
      const isCloud = server === 'github.com' || server.endsWith('.ghe.com');
      const api = isCloud ? `${protocol}//api.${server}` : `${withoutSlash(base)}/api/v3`;
      const oauth = `${withoutSlash(isCloud ? `${protocol}//${server}` : base)}/login/oauth`;
      const resources = { userInfo: `${api}/user`, emails: `${api}/user/emails` };
      return oauth2(`${oauth}/authorize`, `${oauth}/access_token`, resources);
    },
    scope: 'read:user user:email',
    clientAuthentication: 'client_secret_post',
    profile({ resources }) {
      const user = object(resources.userInfo);
      const emails = Array.isArray(resources.emails) ? resources.emails.map(object) : null;
      const primary = emails?.find((each) => each.primary === true);
      // What stands in the profile is what its owner chose to show; only the list says what is verified.
      return profileOf(user.id, {
        email: emails ? primary?.email : user.email,
        emailVerified: primary?.verified,
        name: user.name,
        username: user.login,
      });
    },
  },

  gitlab: {
    name: 'GitLab',
    parameters: { url: url.default('https://gitlab.com') },
    protocol: ({ url: base = '' }) => oidc(withoutSlash(base)),
    scope: OPENID,
    profile: standardProfile,
  },

  facebook: {
    name: 'Facebook',
    protocol: () =>
      oauth2('https://www.facebook.com/v23.0/dialog/oauth', 'https://graph.facebook.com/v23.0/oauth/access_token', {
        userInfo: 'https://graph.facebook.com/v23.0/me?fields=id,name,email',
      }),
    scope: 'email public_profile',
    clientAuthentication: 'client_secret_post',
    // It does not say whether it has seen the mailbox.
    profile: ({ resources: { userInfo } }) =>
      profileOf(at(userInfo, 'id'), { email: at(userInfo, 'email'), name: at(userInfo, 'name') }),
  },

  linkedin: {
    name: 'LinkedIn',
    // Its ID tokens carry no nonce, so that it is asked as plain OAuth 2.0.
    protocol: () =>
      oauth2('https://www.linkedin.com/oauth/v2/authorization', 'https://www.linkedin.com/oauth/v2/accessToken', {
        userInfo: 'https://api.linkedin.com/v2/userinfo',
      }),
    scope: OPENID,
    clientAuthentication: 'client_secret_post',
    profile: ({ resources: { userInfo } }) =>
      profileOf(at(userInfo, 'sub'), {
        email: at(userInfo, 'email'),
        emailVerified: at(userInfo, 'email_verified'),
        name: at(userInfo, 'name'),
      }),
  },

  discord: {
    name: 'Discord',
    protocol: () =>
      oauth2('https://discord.com/oauth2/authorize', 'https://discord.com/api/oauth2/token', {
        userInfo: 'https://discord.com/api/users/@me',
      }),
    scope: 'identify email',
    clientAuthentication: 'client_secret_post',
    profile: ({ resources: { userInfo } }) =>
      profileOf(at(userInfo, 'id'), {
        email: at(userInfo, 'email'),
        emailVerified: at(userInfo, 'verified'),
        name: at(userInfo, 'global_name'),
        username: at(userInfo, 'username'),
      }),
  },

  slack: {
    name: 'Slack',
    protocol: () => oidc('https://slack.com'),
    scope: OPENID,
    clientAuthentication: 'client_secret_post',
    profile: standardProfile,
  },

  x: {
    name: 'X',
    protocol: () =>
      oauth2('https://x.com/i/oauth2/authorize', 'https://api.x.com/2/oauth2/token', {
        userInfo: 'https://api.x.com/2/users/me?user.fields=confirmed_email',
      }),
    scope: 'users.read tweet.read users.email',
    profile: ({ resources: { userInfo } }) =>
      profileOf(at(userInfo, 'data.id'), {
        email: at(userInfo, 'data.confirmed_email'),
        emailVerified: true,
        name: at(userInfo, 'data.name'),
        username: at(userInfo, 'data.username'),
      }),
  },

  twitch: {
    name: 'Twitch',
    protocol: () => oidc('https://id.twitch.tv/oauth2'),
    scope: 'openid user:read:email',
    clientAuthentication: 'client_secret_post',
    // It tells what it is asked for by name, and nothing else.
    authorizationParameters: {
      claims: JSON.stringify({
        id_token: { email: null, email_verified: null, preferred_username: null },
        userinfo: { email: null, email_verified: null, preferred_username: null },
      }),
    },
    profile: standardProfile,
  },

  spotify: {
    name: 'Spotify',
    protocol: () =>
      oauth2('https://accounts.spotify.com/authorize', 'https://accounts.spotify.com/api/token', {
        userInfo: 'https://api.spotify.com/v1/me',
      }),
    scope: 'user-read-email',
    // It says itself that it has not seen the mailbox.
    profile: ({ resources: { userInfo } }) =>
      profileOf(at(userInfo, 'id'), { email: at(userInfo, 'email'), name: at(userInfo, 'display_name') }),
  },

  okta: {
    name: 'Okta',
    parameters: { domain: host, authorizationServer: name.optional() },
    protocol: ({ domain, authorizationServer: server }) =>
      oidc(server === undefined ? `https://${domain}` : `https://${domain}/oauth2/${server}`),
    scope: OPENID,
    profile: standardProfile,
  },

  auth0: {
    name: 'Auth0',
    parameters: { domain: host },
    // Its issuer ends with a slash.
    protocol: ({ domain }) => oidc(`https://${domain}/`),
    scope: OPENID,
    profile: standardProfile,
  },

  keycloak: {
    name: 'Keycloak',
    parameters: { url, realm: name },
    protocol: ({ url: base = '', realm }) => oidc(`${withoutSlash(base)}/realms/${realm}`),
    scope: OPENID,
    profile: standardProfile,
  },

  cognito: {
    name: 'Amazon Cognito',
    parameters: { region: name, userPoolId: name },
    protocol: ({ region, userPoolId }) => oidc(`https://cognito-idp.${region}.amazonaws.com/${userPoolId}`),
    scope: OPENID,
    profile(answer) {
      const profile = profileWithWrittenTruth(answer);
      return profile && { ...profile, username: text(claimsOf(answer)['cognito:username']) ?? profile.username };
    },
  },
} as const satisfies Record<string, Preset>;
