import type { Check } from './check.ts';
import { administrators } from './checks/administrators.ts';
import { database, databaseConnections, databaseMigrations, databaseRole, databaseTls } from './checks/database.ts';
import { signingKeys } from './checks/keys.ts';
import { mail, testMail } from './checks/mail.ts';
import { clock, proxies, publicUrl, redis } from './checks/network.ts';
import { https, origins, redirects } from './checks/origins.ts';
import { providerDiscovery, providerRedirects, providerTokens } from './checks/providers.ts';
import { secretBackup, secretOpens, secretPlaces, secretStrength } from './checks/secrets.ts';
import {
  introspection,
  limits,
  logLevel,
  operatorConfig,
  passwordLength,
  production,
  sessions,
  settings,
  verification,
} from './checks/settings.ts';

/** The production checklist. Another check is an entry here, a row in docs/production.md, and two tests of its name. */
export const checks = {
  settings,
  'operator-config': operatorConfig,
  production,
  verification,
  https,
  'public-url': publicUrl,
  origins,
  redirects,
  'provider-redirects': providerRedirects,
  'provider-discovery': providerDiscovery,
  'provider-tokens': providerTokens,
  'secret-strength': secretStrength,
  'secret-places': secretPlaces,
  'secret-opens': secretOpens,
  'secret-backup': secretBackup,
  'signing-keys': signingKeys,
  limits,
  administrators,
  'password-length': passwordLength,
  sessions,
  mail,
  'test-mail': testMail,
  proxies,
  clock,
  database,
  'database-role': databaseRole,
  'database-tls': databaseTls,
  'database-migrations': databaseMigrations,
  'database-connections': databaseConnections,
  redis,
  introspection,
  'log-level': logLevel,
} as const satisfies Readonly<Record<string, Check>>;

export type CheckName = keyof typeof checks;
