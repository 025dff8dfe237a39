import type { ProviderAnswer, ProviderProfile } from './provider.ts';

/** A JSON object that somebody else wrote. */
export type Claims = Readonly<Record<string, unknown>>;

const MAX_SUBJECT_LENGTH = 255;

/** Half a character, which is no text, and what no database keeps. */
const UNFIT = /[\p{Cs}\0]/u;

/** A text with something in it; null for anything else. */
export function text(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' && !UNFIT.test(value) ? value : null;
}

/** A JSON object; one without anything for anything else. */
export function object(value: unknown): Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : {};
}

/** An immutable id, a text or a whole number; null if it is empty, longer than ids are, or of another kind. */
export function subjectOf(value: unknown): string | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null;
  const subject = text(value);
  return subject !== null && subject.length <= MAX_SUBJECT_LENGTH ? subject : null;
}

/** The value at a path such as `data.user.id`. */
export function at(claims: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => {
    const holder = object(value);
    return Object.hasOwn(holder, key) ? holder[key] : undefined;
  }, claims);
}

/** A whole name of its two parts. */
export function wholeName(given: unknown, family: unknown): string | null {
  const parts = [text(given), text(family)].filter((part) => part !== null);
  return parts.length > 0 ? parts.join(' ') : null;
}

/** What is told of a person, beside the subject. All of it may be missing. */
interface Told {
  readonly email?: unknown;
  /** True counts, and nothing that looks like it. */
  readonly emailVerified?: unknown;
  readonly name?: unknown;
  readonly username?: unknown;
}

/** A profile of what was told; null if it names nobody. */
export function profileOf(subject: unknown, told: Told): ProviderProfile | null {
  const known = subjectOf(subject);
  if (known === null) return null;
  const email = text(told.email);
  return {
    subject: known,
    email,
    emailVerified: email !== null && told.emailVerified === true,
    name: text(told.name),
    username: text(told.username),
  };
}

/** The claims of the ID token, and what only UserInfo tells. */
export function claimsOf({ idToken, resources }: ProviderAnswer): Claims {
  const userInfo = object(resources.userInfo);
  const token = object(idToken);
  // Whether an address is verified is said beside that address: the two go together.
  const { email, email_verified } = token.email === undefined ? userInfo : token;
  return { ...userInfo, ...token, email, email_verified };
}

/** The standard claims (OpenID Connect Core 1.0 §5.1). */
export function standardProfile(answer: ProviderAnswer): ProviderProfile | null {
  const claims = claimsOf(answer);
  return profileOf(answer.idToken?.sub, {
    email: claims.email,
    emailVerified: claims.email_verified,
    name: text(claims.name) ?? wholeName(claims.given_name, claims.family_name),
    username: text(claims.preferred_username) ?? text(claims.nickname),
  });
}

/** The same of a provider that writes whether an address is verified as a text. */
export function profileWithWrittenTruth(answer: ProviderAnswer): ProviderProfile | null {
  const profile = standardProfile(answer);
  return (
    profile && {
      ...profile,
      emailVerified: profile.emailVerified || (profile.email !== null && claimsOf(answer).email_verified === 'true'),
    }
  );
}
