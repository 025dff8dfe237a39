/** What a provider said of a person, in the answer to one login. Everything in it is the provider's word, unchecked. */
export interface ProviderAnswer {
  /** The claims of the ID token, whose signature, issuer, audience, time and nonce are right; null without OpenID Connect. */
  readonly idToken: Readonly<Record<string, unknown>> | null;
  /** What was read with the access token, by the name of its resource; `userInfo` for that of OpenID Connect. */
  readonly resources: Readonly<Record<string, unknown>>;
  /** What came with the redirect itself: Apple tells a name there, at the first consent and never again. */
  readonly redirect: Readonly<Record<string, unknown>> | null;
}

/** A person, as a provider knows them. */
export interface ProviderProfile {
  /** The provider's own immutable id of the person; never a name or an address, which may be somebody else's tomorrow. */
  readonly subject: string;
  /** As the provider wrote it. */
  readonly email: string | null;
  /** Whether the provider says that it has seen the mailbox. */
  readonly emailVerified: boolean;
  /** The whole name. */
  readonly name: string | null;
  /** What the provider calls them where there is no name: a handle, not an address. */
  readonly username: string | null;
}

/** How a provider is spoken to. */
export type Protocol = OpenIdConnect | OAuth2;

/** OpenID Connect Core 1.0, by discovery. */
export interface OpenIdConnect {
  readonly kind: 'oidc';
  /** Exactly as the provider's metadata name it; for Microsoft's shared one, as it is discovered. */
  readonly issuer: string;
  /** Whether the UserInfo endpoint is asked, where there is one. */
  readonly userInfo: boolean;
  /** The one algorithm of its ID tokens; null for any asymmetric one that its metadata name. */
  readonly idTokenAlgorithm: string | null;
}

/** OAuth 2.0, by endpoints. */
export interface OAuth2 {
  readonly kind: 'oauth2';
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  /** By which it names itself in its redirects (RFC 9207); null where it does not. */
  readonly issuer: string | null;
  /** What is read with the access token: a URL for each name. */
  readonly resources: Readonly<Record<string, string>>;
}

/** How we prove to a provider who we are (OpenID Connect Core 1.0 §9). */
export type ClientAuthentication =
  | { readonly method: 'none' }
  | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly clientSecret: string }
  /** A secret that is signed for each use, as Apple asks for it. */
  | { readonly method: 'apple'; readonly teamId: string; readonly keyId: string; readonly privateKey: string };

/** A provider that people may log in with, as an operator has set it up. */
export interface Provider {
  /** By which clients, callbacks and connections name it. */
  readonly id: string;
  /** As people know it. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly clientId: string;
  /** Further client ids of the same operator, such as those of native apps: their ID tokens are for us as well. */
  readonly clientIds: readonly string[];
  readonly clientAuthentication: ClientAuthentication;
  /** With blanks between its parts. */
  readonly scope: string;
  /** Further parameters of the authorization request. */
  readonly authorizationParameters: Readonly<Record<string, string>>;
  /** Whether it comes back by a form that is posted (OAuth 2.0 Form Post Response Mode). */
  readonly formPost: boolean;
  /** Whether apps may log in with an ID token that they got from it themselves. */
  readonly acceptsTokens: boolean;
  /** Reads what it said. Null if that names nobody. */
  profile(answer: ProviderAnswer): ProviderProfile | null;
}
