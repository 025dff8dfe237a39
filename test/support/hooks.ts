import type { HOOKS, HookCode, Hooks } from '../../src/hooks.ts';
import { makeCode } from '../../src/lib/user-code.ts';
import type { Gateway } from './gateway.ts';

/** The hooks that somebody waits for. */
export type Decision = {
  [N in keyof typeof HOOKS]: (typeof HOOKS)[N] extends 'decision' ? N : never;
}[keyof typeof HOOKS];

/** What a hook was asked, by whatever test. */
export interface Asked {
  readonly hook: Decision;
  readonly asked: unknown;
}

/** Hooks that a test changes while its gateway runs. */
export interface ChangingHooks {
  /** For the gateway: every decision is there, and goes by {@link now}, or else as Postern would without it. */
  readonly hooks: Hooks;
  now: { -readonly [N in Decision]?: NonNullable<Hooks[N]> };
  readonly asked: Asked[];
  /** What one hook was asked since the last time, in its order. */
  take(hook: Decision): unknown[];
}

/** What a hook says that has nothing to say. */
const SILENT: { readonly [N in Decision]: (asked: never) => unknown } = {
  allowsSignUp: () => true,
  cleanEmail: (email: string) => email,
  cleanUsername: (username: string) => username,
  refusesPassword: () => null,
  generateUsername: () => null,
  newAccount: () => null,
  requiresMfa: () => null,
  allowsEnrollment: () => true,
  preSocialLogin: () => null,
  linkingPolicy: () => null,
  populateUser: () => null,
  accessTokenClaims: () => null,
  generateCode: ({ channel }: HookCode) => makeCode(channel === 'SMS' ? 'digits' : 'letters'),
  isSafeRedirect: () => null,
};

/** Makes hooks of which a test may put its own in the place of each decision. */
export function changingHooks(): ChangingHooks {
  const asked: Asked[] = [];
  const changing: ChangingHooks = {
    hooks: Object.fromEntries(
      (Object.keys(SILENT) as Decision[]).map((hook) => [
        hook,
        (about: unknown) => {
          asked.push({ hook, asked: about });
          const own = changing.now[hook] ?? SILENT[hook];
          return (own as (about: unknown) => unknown)(about);
        },
      ]),
    ),
    now: {},
    asked,
    take(hook) {
      const taken = asked.filter((each) => each.hook === hook).map((each) => each.asked);
      asked.splice(0, asked.length, ...asked.filter((each) => each.hook !== hook));
      return taken;
    },
  };
  return changing;
}

/** The messages that were logged as errors or warnings. */
export function faultsIn({ logs }: Gateway, from = 0): string[] {
  return logs
    .slice(from)
    .map((line) => JSON.parse(line))
    .filter(({ level }) => level === 'error' || level === 'warn')
    .map(({ err, msg }) => err?.message ?? msg);
}
