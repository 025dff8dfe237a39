import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Hooks } from './hooks.ts';
import { mails, texts } from './mail/messages.ts';
import type { ProviderEntry } from './providers/settings.ts';

/** What an operator says in code rather than in the environment: the default export of `postern.config.js`. */
export interface OperatorConfig {
  readonly hooks?: Hooks;
  /** Beside those of POSTERN_PROVIDERS. */
  readonly providers?: readonly ProviderEntry[];
}

/** TypeScript as well, where Node reads it by itself (from version 22.18 on). */
const FILES = ['postern.config.ts', 'postern.config.mjs', 'postern.config.js'];

/**
 * Reads the operator's file of a folder, if there is one.
 * @throws Error with a message for the operator when it cannot be loaded or has no object as its default export
 */
export async function loadOperatorConfig(folder: string): Promise<OperatorConfig> {
  const file = FILES.map((name) => resolve(folder, name)).find((path) => existsSync(path));
  if (!file) return {};
  const loaded = await import(pathToFileURL(file).href).catch((error: Error) => {
    throw new Error(`${file} cannot be loaded: ${error.message}`, { cause: error });
  });
  if (typeof loaded.default !== 'object' || loaded.default === null) {
    throw new Error(`${file} has no object as its default export, such as { hooks: { … } }`);
  }
  const problems = problemsOf(loaded.default);
  if (problems.length > 0) throw new Error(`${file} does not fit:\n${problems.map((each) => `  ${each}`).join('\n')}`);
  return loaded.default;
}

// A name with a typing error would be a hook that is never called.
function problemsOf({
  hooks = {},
  providers = [],
  ...others
}: {
  hooks?: Record<string, unknown>;
  providers?: unknown;
}): string[] {
  const { sendSms, requiresMfa, allowsEnrollment, preSocialLogin, populateUser, accessTokenClaims, ...more } = hooks;
  const { mails: ownMails, texts: ownTexts, ...unknown } = more;
  const decisions = { requiresMfa, allowsEnrollment, preSocialLogin, populateUser, accessTokenClaims };
  const functions = Object.entries({ sendSms, ...decisions });
  return [
    ...Object.keys(others).map((name) => `${name} is not known; there are hooks, providers`),
    ...(Array.isArray(providers) ? [] : ['providers is not a list']),
    ...Object.keys(unknown).map(
      (name) =>
        `hooks.${name} is not known; there are ${[...functions.map(([each]) => each), 'mails', 'texts'].join(', ')}`,
    ),
    ...functions
      .filter(([, hook]) => hook !== undefined && typeof hook !== 'function')
      .map(([name]) => `hooks.${name} is not a function`),
    ...problemsOfMessages('mails', ownMails, Object.keys(mails)),
    ...problemsOfMessages('texts', ownTexts, Object.keys(texts)),
  ];
}

function problemsOfMessages(name: string, own: unknown, known: readonly string[]): string[] {
  if (own === undefined) return [];
  if (typeof own !== 'object' || own === null) return [`hooks.${name} is not an object of functions`];
  return Object.entries(own).flatMap(([kind, write]) => {
    if (!known.includes(kind)) return [`hooks.${name}.${kind} is not known; there are ${known.join(', ')}`];
    return typeof write === 'function' ? [] : [`hooks.${name}.${kind} is not a function`];
  });
}
