import type { HookRequestOrigin, Hooks, MailMessage, TextMessage } from '../hooks.ts';
import { HOOKS } from '../hooks.ts';
import { atMostEvery } from '../lib/at-most-every.ts';
import { readAddress } from '../lib/client-address.ts';
import { HookFailed } from '../lib/hook-failed.ts';
import { type DecisionName, Nonsense, READERS } from './answers.ts';

/** Milliseconds that a decision may take: the request waits for it, and sometimes its transaction, with a connection. */
const DECIDE_WITHIN_MS = 2_000;
/** Milliseconds that a delivery may take: there are few workers, and one that hangs delivers nothing else. */
const DELIVER_WITHIN_MS = 30_000;
/** How often it is said that addresses of requests are none: there is one for each request. */
const TELL_EVERY_MS = 10_000;

type AskedBy<Name extends DecisionName> = Parameters<NonNullable<Hooks[Name]>>[0];

/** The operator's hooks as flows ask them: in time, and with answers that were looked at, or else {@link HookFailed}. */
export type GuardedHooks = {
  readonly [Name in DecisionName]?: (asked: AskedBy<Name>) => Promise<ReturnType<(typeof READERS)[Name]>>;
} & Pick<Hooks, 'mails' | 'texts'> & {
    readonly sendSms?: (message: TextMessage) => Promise<void>;
    readonly sendMail?: (message: MailMessage) => Promise<void>;
    /** Null: as if there were no such hook. */
    readonly clientAddress?: (asked: HookRequestOrigin) => string | null;
  };

/** Where it is told that a hook failed, when nothing else fails by that. */
interface Log {
  warn(line: { readonly err: Error }, message: string): void;
}

/**
 * Stands between flows and an operator's code. Whatever that does, an operation gets a decision that was looked at, or
 * fails with the name of the hook, and without any secret that the hook was told. Hooks that are not there stay so: whom
 * nobody is to be asked is asked without waiting.
 */
export function guardHooks(hooks: Hooks, log: Log): GuardedHooks {
  const names = (Object.keys(HOOKS) as (keyof Hooks)[]).filter((name) => hooks[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, guard(name, hooks, log)]));
}

function guard(name: keyof Hooks, hooks: Hooks, log: Log): unknown {
  const call = (asked: unknown): unknown => (hooks[name] as (asked: unknown) => unknown).call(hooks, asked);
  switch (HOOKS[name]) {
    case 'decision':
      return name === 'generateCode' ? neverTwice(decision(name, call)) : decision(name as DecisionName, call);
    case 'at once':
      return atOnce(name, call, log);
    case 'delivery':
      return (message: unknown) => inTime(name, call, message, DELIVER_WITHIN_MS).then(() => undefined);
    case 'messages':
      return named(name, hooks[name] as Functions);
  }
}

function decision<Name extends DecisionName>(name: Name, call: (asked: unknown) => unknown) {
  return async (asked: AskedBy<Name>) => {
    // A copy: what Postern goes on with, or remembers, is not the hook's to change.
    const given = await inTime(name, call, structuredClone(asked), DECIDE_WITHIN_MS);
    try {
      return READERS[name](given) as ReturnType<(typeof READERS)[Name]>;
    } catch (error) {
      throw new HookFailed(name, error instanceof Nonsense ? error.message : 'gave what cannot be read');
    }
  };
}

/** An address for each request: one that is none costs the request nothing but its own address. */
function atOnce(name: string, call: (asked: unknown) => unknown, log: Log) {
  const tell = atMostEvery(TELL_EVERY_MS, (err: Error) => log.warn({ err }, 'a hook failed'));
  return (asked: HookRequestOrigin): string | null => {
    try {
      const given = call(asked);
      if (given == null) return null;
      const address = typeof given === 'string' ? readAddress(given) : null;
      if (address !== null) return address;
      // A rejection that nobody awaits would end the process.
      Promise.resolve(given).catch(() => undefined);
      tell(new HookFailed(name, 'gave no IP address'));
    } catch (error) {
      tell(failure(name, error, asked));
    }
    return null;
  };
}

type Functions = Readonly<Record<string, ((...given: unknown[]) => unknown) | undefined>>;

/** Functions by name, whose errors say which of them it was. */
function named(name: string, functions: Functions): Functions {
  const entries = Object.entries(functions).map(([kind, write]) => [
    kind,
    write &&
      ((...given: unknown[]) => {
        try {
          return write(...given);
        } catch (error) {
          throw failure(`${name}.${kind}`, error, given);
        }
      }),
  ]);
  return Object.fromEntries(entries.filter(([, write]) => write));
}

/** A source of codes that repeats itself is not random. By chance one does so once in millions of codes, and is asked again. */
function neverTwice<A>(make: (asked: A) => Promise<string>): (asked: A) => Promise<string> {
  let last: string | null = null;
  return async (asked) => {
    last ??= await make(asked);
    for (let tries = 0; tries < 2; tries += 1) {
      const code = await make(asked);
      if (code !== last) {
        last = code;
        return code;
      }
    }
    throw new HookFailed('generateCode', 'gave the same code again and again');
  };
}

async function inTime(
  name: string,
  call: (asked: unknown) => unknown,
  asked: unknown,
  milliseconds: number,
): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const fail = () => reject(new HookFailed(name, `took longer than ${milliseconds / 1_000} s`));
    timer = setTimeout(fail, milliseconds);
  });
  const given = (async () => call(asked))().catch((error: unknown) => {
    throw failure(name, error, asked);
  });
  try {
    return await Promise.race([given, late]);
  } finally {
    clearTimeout(timer);
  }
}

function failure(name: string, thrown: unknown, asked: unknown): HookFailed {
  if (!(thrown instanceof Error)) return new HookFailed(name, 'failed: it threw what is no error');
  const { message, stack = '' } = thrown;
  const failed = new HookFailed(name, `failed: ${wordsFor(message, asked)}`.replace(/\s+/g, ' '));
  // Where it was thrown, without what it said there.
  const from = stack.indexOf(message);
  if (from >= 0) failed.stack = `${failed.name}: ${failed.message}${stack.slice(from + message.length)}`;
  return failed;
}

const MAX_WORDS = 500;

/** What of a hook's own words may stand in a log: none of the secrets that it was told, such as a password or a code. */
function wordsFor(message: string, asked: unknown): string {
  if (typeof asked === 'object' && asked !== null && 'password' in asked) return 'what it says may quote the password';
  const told = textsIn(asked).join('\n');
  return message.slice(0, MAX_WORDS).replace(/[\w-]{6,}/g, (word) => (told.includes(word) ? '…' : word));
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
