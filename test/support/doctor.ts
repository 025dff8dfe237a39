import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Environment, type EnvironmentFile, examineSettings } from '../../src/config.ts';
import type { Verdict } from '../../src/doctor/check.ts';
import type { CheckName } from '../../src/doctor/checks.ts';
import { examine, type Finding } from '../../src/doctor/examine.ts';
import type { DatabaseFacts, Facts, Reading } from '../../src/doctor/facts.ts';
import type { Hooks } from '../../src/hooks.ts';
import { deriveKeys } from '../../src/lib/cipher.ts';

/** Secrets that nobody has read. */
export const newSecret = () => randomBytes(32).toString('base64url');

export const SECRET = newSecret();
export const SECRET_ID = deriveKeys([SECRET], 'seal')[0]?.id ?? '';
export const PEPPER_ID = deriveKeys([SECRET], 'password pepper')[0]?.id ?? '';

/** Settings that nothing is wrong with. */
export const READY: Environment = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgresql://postern_app:Wq3n8rZk5tYb@127.0.0.1:5432/postern',
  POSTERN_SECRET: SECRET,
  POSTERN_PUBLIC_URL: 'https://auth.example.com',
  POSTERN_FRONTEND_URL: 'https://app.example.com',
  POSTERN_SMTP_URL: 'smtps://mail.example.com',
  POSTERN_MAIL_FROM: 'no-reply@auth.example.com',
  POSTERN_TRUSTED_PROXIES: '1',
  POSTERN_MFA_REQUIRED: 'role:admin',
  POSTERN_PASSWORD_MIN_LENGTH: '15',
};

const read = <T>(value: T): Reading<T> => ({ kind: 'read', value });

/** A database that nothing is wrong with. */
const HEALTHY: DatabaseFacts = {
  server: read({
    version: 180_000,
    role: 'postern_app',
    superuser: false,
    privileged: false,
    changesTables: false,
    encrypted: true,
    network: 'private',
  }),
  aheadMs: read(3),
  capacity: read({ allowed: 97, instances: 2 }),
  pending: read([]),
  administrators: read({ all: 2, withoutFactor: 0 }),
  keptTokens: read(0),
  keyUses: read([
    { what: 'signing keys', keyId: SECRET_ID, count: 1 },
    { what: 'passwords', keyId: PEPPER_ID, count: 3 },
  ]),
  signingKeys: read([]),
};

/** What is other than in production as it should be. */
export interface Otherwise {
  readonly env?: Environment;
  readonly database?: { readonly [name in keyof DatabaseFacts]?: ValueOf<DatabaseFacts[name]> };
  readonly environmentFile?: EnvironmentFile;
  readonly operatorProblem?: string;
  readonly hooks?: Hooks;
  readonly clock?: () => Date;
  readonly testMailTo?: string;
  readonly backedUp?: string;
}
type ValueOf<R> = R extends Reading<infer T> ? T : never;

/** The facts of a production where nothing is wrong but what is said. */
export function factsOf(otherwise: Otherwise = {}): Facts {
  const environment = { ...READY, ...otherwise.env };
  const { config, problems } = examineSettings({ ...environment, NODE_ENV: 'production' });
  const other = Object.entries(otherwise.database ?? {}).map(([name, value]) => [name, read(value)]);
  return {
    config,
    environment,
    problems,
    environmentFile: otherwise.environmentFile ?? null,
    hooks: otherwise.hooks ?? {},
    operatorProblem: otherwise.operatorProblem ?? null,
    database: { ...HEALTHY, ...Object.fromEntries(other) },
    clock: otherwise.clock ?? (() => new Date()),
    testMailTo: otherwise.testMailTo ?? null,
    backedUp: otherwise.backedUp ?? null,
  };
}

/** What one check finds. */
export async function examined(name: CheckName, otherwise: Otherwise = {}): Promise<Finding> {
  const [finding] = await examine(factsOf(otherwise), [name]);
  if (!finding) throw new Error(`there is no check ${name}`);
  return finding;
}

type Case = Otherwise | (() => Promise<Finding>);
/** A production that passes a check, and others that do not. */
type Cases = { readonly ok: Case } & Partial<Record<Verdict, Case>> &
  ({ readonly failed: Case } | { readonly warning: Case });

/** Tests a check by its name: once where it passes, and at least once where it does not. */
export function check(name: CheckName, cases: Cases): void {
  for (const [verdict, given] of Object.entries(cases)) {
    test(`${name}: ${verdict}`, async () => {
      const finding = typeof given === 'function' ? await given() : await examined(name, given);
      expect(finding).toMatchObject({ name, verdict });
      // Whoever is told that something is wrong is told what mends it.
      expect(finding.mend !== null).toBe(verdict === 'failed' || verdict === 'warning');
      expect(finding.reason).not.toBe('');
    });
  }
}
