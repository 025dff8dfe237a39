import type { App } from '../app.ts';
import { addressKey } from '../lib/client-address.ts';
import { describeLogin, type LoginExpired, type LoginReady, type LoginStep, resumeLogin } from '../login/pipeline.ts';
import type { LoginPrompt } from '../login/stages/index.ts';
import { transact } from '../unit.ts';
import { type Caller, loginContext, type RateLimited, rateLimited } from './shared/outcomes.ts';

export type ContinueLoginResult = LoginStep | LoginExpired | RateLimited;
export type PendingLoginResult = LoginPrompt | LoginReady | LoginExpired;

/** Asks a login again what it still misses: something may have happened elsewhere. */
export async function continueLogin(
  app: App,
  caller: Caller,
  input: { readonly loginToken: string },
): Promise<ContinueLoginResult> {
  const wait = await app.limiter.count({ limit: 'continueLoginPerAddress', key: addressKey(caller.client.ipAddress) });
  if (wait !== null) return rateLimited(wait);
  return transact(app, caller.client, (unit) => resumeLogin(unit, loginContext(app, caller), input.loginToken));
}

/** Tells a client that was reloaded where its login stands. */
export function pendingLogin(app: App, caller: Caller, loginToken: string): Promise<PendingLoginResult> {
  return transact(app, caller.client, (unit) => describeLogin(unit, app.stages, loginToken));
}
