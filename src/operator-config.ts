import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Config, ConfigError, type Environment, loadConfig, readEnvironment } from './config.ts';
import { type Listeners, problemsOfListeners } from './deliveries/listeners.ts';
import type { WebhookEntry } from './deliveries/settings.ts';
import { HOOKS, type Hooks } from './hooks.ts';
import type { UserFieldDeclarations } from './lib/user-fields/declaration.ts';
import { readUserFields } from './lib/user-fields/read.ts';
import { mails, texts } from './mail/messages.ts';
import type { ProviderEntry } from './providers/settings.ts';

/** What an operator says in code rather than in the environment: the default export of `postern.config.ts`. */
export interface OperatorConfig {
  readonly hooks?: Hooks;
  /** Beside those of POSTERN_PROVIDERS. */
  readonly providers?: readonly ProviderEntry[];
  /** Called once something has happened. */
  readonly listeners?: Listeners;
  /** Beside those of POSTERN_WEBHOOKS. */
  readonly webhooks?: readonly WebhookEntry[];
  /** Own fields of people, by name. */
  readonly userFields?: UserFieldDeclarations;
}

const FILES = ['postern.config.ts', 'postern.config.mjs', 'postern.config.js'];

/** Says the type of what a `postern.config.ts` says, and nothing else. */
export function defineConfig(config: OperatorConfig): OperatorConfig {
  return config;
}

/**
 * Reads the operator's file of a folder, if there is one. What it says is looked at by {@link configure}.
 * @throws Error with a message for the operator when it cannot be loaded or has no object as its default export
 */
export async function loadOperatorConfig(folder: string): Promise<OperatorConfig> {
  const file = FILES.map((name) => resolve(folder, name)).find((path) => existsSync(path));
  if (!file) return {};
  const loaded = await load(file).catch((error: Error) => {
    throw new Error(`${file} cannot be loaded: ${error.message}`, { cause: error });
  });
  if (typeof loaded.default !== 'object' || loaded.default === null) {
    throw new Error(`${file} has no object as its default export, such as { hooks: { … } }`);
  }
  return loaded.default;
}

// Not every Node that we run on reads TypeScript.
async function load(file: string): Promise<{ readonly default?: unknown }> {
  if (!file.endsWith('.ts')) return import(pathToFileURL(file).href);
  const { createJiti } = await import('jiti');
  return createJiti(import.meta.url, { fsCache: false }).import(file);
}

/**
 * Checks all that an operator says, settings and code, and completes it.
 * @throws ConfigError naming every problem at once
 */
export function configure(settings: Environment, operatorConfig: OperatorConfig): Config {
  const problems = problemsOfOperatorConfig(operatorConfig);
  // What does not fit is left out, so that the rest is looked at too.
  const fit = Object.entries(operatorConfig).filter(([name]) => !problems.some((problem) => problem.startsWith(name)));
  try {
    const config = loadConfig(settings, Object.fromEntries(fit));
    if (problems.length === 0) return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  throw new ConfigError(problems);
}

/**
 * The settings of the process with what the operator's file of a folder says, for the command line.
 * @throws ConfigError naming every problem at once
 */
export async function readConfiguration(folder: string): Promise<Config> {
  return configure(readEnvironment(), await loadOperatorConfig(folder));
}

/** What looks at each part of the file, and says what does not fit: a name with a typing error would be without effect. */
const CHECKS: Readonly<Record<keyof OperatorConfig, (part: unknown) => string[]>> = {
  hooks: problemsOfHooks,
  providers: (providers) => (Array.isArray(providers) ? [] : ['providers is not a list']),
  listeners: problemsOfListeners,
  webhooks: (webhooks) => (Array.isArray(webhooks) ? [] : ['webhooks is not a list']),
  userFields: (declared) => [...readUserFields(declared).problems],
};

/** What does not fit in what an operator says in code, all of it at once. */
export function problemsOfOperatorConfig(config: object): string[] {
  return Object.entries(config).flatMap(([name, part]) => {
    if (!Object.hasOwn(CHECKS, name)) return [`${name} is not known; there are ${Object.keys(CHECKS).join(', ')}`];
    return part === undefined ? [] : CHECKS[name as keyof OperatorConfig](part);
  });
}

function problemsOfHooks(hooks: unknown): string[] {
  if (typeof hooks !== 'object' || hooks === null) return ['hooks is not an object'];
  const known = Object.keys(HOOKS);
  return Object.entries(hooks).flatMap(([name, hook]: [string, unknown]) => {
    if (!known.includes(name)) return [`hooks.${name} is not known; there are ${known.join(', ')}`];
    if (hook === undefined) return [];
    if (name === 'mails') return problemsOfMessages(name, hook, Object.keys(mails));
    if (name === 'texts') return problemsOfMessages(name, hook, Object.keys(texts));
    return typeof hook === 'function' ? [] : [`hooks.${name} is not a function`];
  });
}

function problemsOfMessages(name: string, own: unknown, known: readonly string[]): string[] {
  if (typeof own !== 'object' || own === null) return [`hooks.${name} is not an object of functions`];
  return Object.entries(own).flatMap(([kind, write]) => {
    if (!known.includes(kind)) return [`hooks.${name}.${kind} is not known; there are ${known.join(', ')}`];
    return typeof write === 'function' ? [] : [`hooks.${name}.${kind} is not a function`];
  });
}
