import { deriveKeys } from '../../lib/cipher.ts';
import { estimateBits } from '../../lib/secret-strength.ts';
import { type Check, failed, judge, ok, type Result, skipped, warning, worst } from '../check.ts';
import type { Facts } from '../facts.ts';
import { KNOWN_SECRETS } from '../known-secrets.ts';

/** OWASP ASVS 11.2.3: what nobody can try out. Half of it somebody could. */
const STRONG_BITS = 128;
const WEAK_BITS = 64;
const NEW_SECRET = 'openssl rand -base64 48';

export const secretStrength: Check = {
  title: 'the secrets are random, and nobody else has them',
  settings: ['POSTERN_SECRET', 'POSTERN_SERVICES'],
  run({ config: { secrets, services, databaseUrl } }) {
    const results = [
      ...secrets.map((secret) => judgeSecret(secret, 'POSTERN_SECRET')),
      ...services.map(({ secret }) => judgeSecret(secret, 'POSTERN_SERVICES')),
      ...judgePassword(databaseUrl ?? ''),
    ];
    return worst(results);
  },
};

function judgeSecret(secret: string, setting: string): Result {
  const mend = `${setting}: make another with ${NEW_SECRET}`;
  if (KNOWN_SECRETS.has(secret)) return failed(`${setting} has an entry that stands in an example`, mend);
  const bits = estimateBits(secret);
  if (bits < WEAK_BITS) return failed(`${setting} has an entry that is easily guessed: some ${bits} bits`, mend);
  if (bits < STRONG_BITS)
    return warning(`${setting} has an entry of some ${bits} bits, and ${STRONG_BITS} are out of reach`, mend);
  return ok(`each has some ${STRONG_BITS} bits of chance or more, and none stands in an example`);
}

function judgePassword(url: string): Result[] {
  const { username = '', password = '', pathname = '' } = URL.canParse(url) ? new URL(url) : {};
  const known = ['postgres', 'password', 'postern', 'secret', username, pathname.slice(1)];
  if (password === '' || !known.includes(password)) return [];
  return [failed('the password of DATABASE_URL is one that anybody would try', 'DATABASE_URL')];
}

/** The settings that are secrets, or may have one in them. */
const HOLD_SECRETS = [
  'POSTERN_SECRET',
  'POSTERN_SERVICES',
  'POSTERN_PROVIDERS',
  'DATABASE_URL',
  'POSTERN_SMTP_URL',
  'POSTERN_REDIS_URL',
];

export const secretPlaces: Check = {
  title: 'the secrets come from the environment, and not from files',
  settings: [],
  run({ environmentFile, config, environment }) {
    if (!environment.POSTERN_SECRET)
      return failed(`the secret is the one that was made for development in ${config.dataDir}`, 'POSTERN_SECRET');
    const names = HOLD_SECRETS.filter((name) => environmentFile?.names.includes(name));
    if (!environmentFile || names.length === 0) return ok('no file sets any of them');
    const mode = environmentFile.mode.toString(8).padStart(3, '0');
    if ((environmentFile.mode & 0o077) !== 0)
      return failed(
        `others may read .env (mode ${mode}), which sets ${names.join(', ')}`,
        'the environment, or at least chmod 600 .env',
      );
    return warning(
      `.env sets ${names.join(', ')}: whoever copies the folder has them`,
      'the environment, by whatever keeps your secrets',
    );
  },
};

export const secretOpens: Check = {
  title: 'the secrets open whatever is sealed in the database',
  settings: [],
  run({ config: { secrets }, database }) {
    return judge(database.keyUses, (uses) => {
      if (secrets.length === 0) return skipped('there is no POSTERN_SECRET');
      const idsOf = (purpose: string) => deriveKeys(secrets, purpose).map(({ id }) => id);
      const [seals, peppers] = [idsOf('seal'), idsOf('password pepper')];
      const ringOf = (what: string) => (what === 'passwords' ? peppers : seals);
      const lost = uses.filter(({ what, keyId }) => !ringOf(what).includes(keyId));
      if (lost.length > 0) {
        const list = lost.map(({ what, keyId, count }) => `${count} ${what} (key ${keyId})`).join(', ');
        return failed(
          `no secret opens ${list}`,
          'POSTERN_SECRET: put the one that they were made with after the new one',
        );
      }
      const unused = seals.slice(1).filter((id, index) => {
        const ids = [id, peppers[index + 1]];
        return !uses.some(({ keyId }) => ids.includes(keyId));
      });
      return unused.length > 0
        ? warning(
            `nothing that stays in the database needs ${unused.join(', ')}, which is not the first`,
            'POSTERN_SECRET: drop it, unless it is about to become the first',
          )
        : ok(uses.length > 0 ? 'each key that was used is one of theirs' : 'nothing is sealed yet');
    });
  },
};

export const secretBackup: Check = {
  title: 'there is a copy of the secret somewhere else',
  settings: [],
  run({ config: { secrets }, backedUp }) {
    const id = secretIdOf(secrets);
    if (id === null) return skipped('there is no POSTERN_SECRET');
    if (backedUp === id) return ok(`you say that there is one of the secret ${id}`);
    const what = backedUp === null ? 'nobody has said so' : `you speak of ${backedUp}, which is not the secret in use`;
    return warning(
      `${what}: without the secret ${id} a restored database has no signing keys, authenticator apps or passwords`,
      `keep a copy apart from the database, then say --backed-up ${id}`,
    );
  },
};

/** By which an operator names the secret in use: a digest that tells nothing of it. */
function secretIdOf(secrets: Facts['config']['secrets']): string | null {
  return deriveKeys(secrets.slice(0, 1), 'seal')[0]?.id ?? null;
}
