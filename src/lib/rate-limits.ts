import { parseRate, type Rate } from './rate.ts';

/** Every limit: its name, its rate, what is counted. `perAddress` means the client's IPv4 address or IPv6 /64. */
export const LIMITS = {
  passwordPerAccount: { rate: '10/15m', counts: 'tries of the password of one account' },
  passwordPerAddress: { rate: '60/1m', counts: 'logins by password from one address' },
  passwordOverall: { rate: 'off', counts: 'all logins by password' },
  signUpPerAddress: { rate: '60/1m', counts: 'sign-ups from one address' },
  continueLoginPerAddress: { rate: '120/1m', counts: 'unfinished logins carried on from one address' },
  refreshPerSession: { rate: '30/5m', counts: 'refreshes of one session' },
  refreshPerAddress: { rate: '300/5m', counts: 'refreshes from one address' },
  codePerAccount: { rate: '10/15m', counts: 'tries of the codes of one recipient' },
  codePerAddress: { rate: '60/1m', counts: 'tries of codes and links from one address' },
  mfaPerAccount: { rate: '10/15m', counts: 'checks of the second factors of one account, whatever login they are for' },
  mfaPerAddress: { rate: '60/1m', counts: 'checks of second factors and passkeys from one address' },
  mailPerRecipient: {
    rate: '3/1h',
    counts:
      'messages of one purpose, of those that anybody can ask for, to one recipient; beyond it the answer is the same and nothing is sent',
  },
  mailPerAddress: { rate: '10/1h', counts: 'such messages asked for from one address; beyond it likewise' },
  requestPerAddress: { rate: '60/1m', counts: 'requests for codes, links and resets from one address' },
  providerPerAddress: {
    rate: '120/1m',
    counts: 'steps of logins at providers and of connections from one address: begun, come back, completed',
  },
  connectionsPerAddress: {
    rate: '50 at once',
    counts: 'sockets and event streams from one address, on one instance',
  },
  connectionsPerAccount: { rate: '10 at once', counts: 'sockets and event streams of one person, on one instance' },
  messagesPerConnection: { rate: '100/1m', counts: 'messages that come in on one socket' },
  changePerAccount: { rate: '60/15m', counts: 'changes of one account by its owner' },
  changePerAdministrator: { rate: '300/15m', counts: 'what one administrator does to accounts and invitations' },
  lookUpPerAdministrator: { rate: '600/15m', counts: 'pages and accounts that one administrator looks at' },
} as const;
/** What each instance counts by itself, since it is about what is open there. */
export type LocalLimitName = 'connectionsPerAddress' | 'connectionsPerAccount' | 'messagesPerConnection';
/** What all instances count together. */
export type LimitName = Exclude<keyof typeof LIMITS, LocalLimitName>;
/** Null: nothing is counted. */
export type RateLimits = Readonly<Record<LimitName | LocalLimitName, Rate | null>>;

/**
 * Reads overrides as the setting writes them: a JSON object of rates by name, or `off` for all.
 * @returns every limit, or what is wrong
 */
export function parseRateLimits(text: string): RateLimits | string {
  const overrides = text === 'off' ? {} : parseJsonObject(text);
  if (!overrides) return 'is neither `off` nor a JSON object of limits by name';
  const problems = Object.keys(overrides)
    .filter((name) => !Object.hasOwn(LIMITS, name))
    .map((name) => `knows no limit ${name}; there are ${Object.keys(LIMITS).join(', ')}`);
  const limits: Record<string, Rate | null> = {};
  for (const [name, { rate }] of Object.entries(LIMITS)) {
    const written = text === 'off' ? 'off' : Object.hasOwn(overrides, name) ? overrides[name] : rate;
    limits[name] = typeof written === 'string' && written !== 'off' ? parseRate(written) : null;
    // What is counted while it lasts has no window, and what is counted in one does not last.
    const fits = limits[name] && Number.isFinite(limits[name].windowMs) !== rate.endsWith('at once');
    if (!fits && written !== 'off')
      problems.push(`has no rate such as ${rate === 'off' ? '10/15m' : rate}, or off, for ${name}`);
  }
  return problems.length > 0 ? problems.join('; ') : (limits as RateLimits);
}

function parseJsonObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
