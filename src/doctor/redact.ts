import type { Config } from '../config.ts';

/** Every secret that the settings hold. */
function secretsIn({ secrets, services, databaseUrl, redisUrl, mail, social }: Config): string[] {
  const passwords = [databaseUrl, redisUrl, mail.smtpUrl].flatMap((url) => (url ? passwordsOf(url) : []));
  const ofProviders = social.providers.flatMap(({ clientAuthentication: by }) => {
    if (by.method === 'none') return [];
    return [by.method === 'apple' ? by.privateKey : by.clientSecret];
  });
  return [...secrets, ...services.map(({ secret }) => secret), ...passwords, ...ofProviders];
}

/**
 * Takes secrets out of texts, whoever put them there: a server may repeat what it refuses, and an error quote a URL.
 * @returns what gives a text back without the secrets of these settings
 */
export function redactorFor(config: Config): (text: string) => string {
  const known = [...new Set(secretsIn(config))].filter((secret) => secret !== '').sort((a, b) => b.length - a.length);
  return (text) => known.reduce((clean, secret) => clean.replaceAll(secret, '[secret]'), text);
}

/** As it is written in the URL, and as a server gets it: plain, or in Base64 (RFC 4954, RFC 4616). */
function passwordsOf(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const { username, password } = new URL(url);
  const plain = decoded(password);
  const sent = [plain, `\0${decoded(username)}\0${plain}`].map((text) => Buffer.from(text).toString('base64'));
  return password === '' ? [] : [password, plain, ...sent];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
