import { connectRedis } from '../../infra/redis.ts';
import { ask } from '../ask.ts';
import { type Check, failed, judge, ok, type Result, skipped, warning, worst } from '../check.ts';
import type { Facts } from '../facts.ts';
import { reasonOf } from '../reason.ts';

const MEND_URL = 'POSTERN_PUBLIC_URL, or the proxy before the gateway';

export const publicUrl: Check = {
  title: 'the public URL leads to this gateway',
  settings: [],
  async run({ config }) {
    try {
      const health = await ask(`${config.publicUrl}/health/live`);
      if (!(await isJson(health, { status: 'live' })))
        return failed(`somebody else answers at ${config.publicUrl}/health/live (${health.status})`, MEND_URL);
      const metadata = await ask(`${config.publicUrl}/.well-known/openid-configuration`);
      return (await isJson(metadata, { issuer: config.publicUrl }))
        ? ok('it answers, and is the issuer of its tokens')
        : failed('another Postern answers: its tokens have another issuer', MEND_URL);
    } catch (error) {
      return failed(`${config.publicUrl}: ${reasonOf(error)}`, MEND_URL);
    }
  },
};

/** Whether an answer is an object with these in it. */
async function isJson(response: Response, expected: Readonly<Record<string, string>>): Promise<boolean> {
  const body: unknown = await response.json().catch(() => null);
  const fields = Object.entries((body ?? {}) as Record<string, unknown>);
  return Object.entries(expected).every(([name, value]) =>
    fields.some(([key, held]) => key === name && held === value),
  );
}

export const proxies: Check = {
  title: 'the address of a client is its own, and not that of a proxy',
  settings: ['POSTERN_TRUSTED_PROXIES'],
  run({ config }) {
    if (config.trustedProxies === 0 && config.publicUrl.startsWith('https:'))
      return warning(
        'somebody before Postern speaks https, but no proxy is trusted: then all clients share one address, and one limit',
        'POSTERN_TRUSTED_PROXIES',
      );
    if (config.trustedProxies === 0) return ok('by the public URL nobody stands between');
    return ok(
      `${config.trustedProxies} right-most hops of X-Forwarded-For are ours; see that port ${config.port} is reached through them alone`,
    );
  },
};

/** Of the thirty seconds that codes and tokens allow for, what is surely too much. */
const APART_MS = 5_000;

export const clock: Check = {
  title: 'the clocks of this machine, the database and the gateway agree',
  settings: [],
  async run(facts) {
    const database = judge(facts.database.aheadMs, (ahead) => judgeClock('the database', ahead));
    return worst([database, await judgeGateway(facts)]);
  },
};

async function judgeGateway({ config, clock: now }: Facts): Promise<Result> {
  try {
    const begun = now().getTime();
    const { headers } = await ask(`${config.publicUrl}/health/live`);
    const date = Date.parse(headers.get('date') ?? '');
    if (Number.isNaN(date)) return skipped('the public URL tells no time');
    // It is cut to the second.
    return judgeClock('the public URL', date + 500 - (begun + now().getTime()) / 2);
  } catch {
    return skipped('the public URL does not answer');
  }
}

function judgeClock(whose: string, aheadMs: number): Result {
  const seconds = Math.round(Math.abs(aheadMs) / 1_000);
  return Math.abs(aheadMs) > APART_MS
    ? failed(
        `the clock of ${whose} is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this one: codes and tokens end too early, or too late`,
        'NTP on every machine',
      )
    : ok(`those that could be asked are within ${APART_MS / 1_000} s`);
}

export const redis: Check = {
  title: 'Redis, where there is one, answers, over TLS, and keeps what it counts',
  settings: ['POSTERN_REDIS_URL'],
  async run({ config: { redisUrl } }) {
    if (redisUrl === null) return skipped('PostgreSQL does it');
    let reason = 'it does not answer';
    const connection = await connectRedis({
      url: redisUrl,
      onLoss: (error) => {
        reason = reasonOf(error);
      },
      onReturn: () => undefined,
    });
    try {
      if ((await connection.ask(() => connection.client.ping())) === null)
        return failed(`PostgreSQL does its work: ${reason}`, 'POSTERN_REDIS_URL');
      const memory = await connection.ask(() => connection.client.info('memory'));
      const { protocol, hostname, password } = new URL(redisUrl);
      const isHere = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
      const results: Result[] = [ok('it answers')];
      if (protocol === 'redis:' && !isHere)
        results.push(warning('what goes there can be read and changed on the way', 'POSTERN_REDIS_URL=rediss://…'));
      if (password === '' && !isHere) results.push(warning('anybody who reaches it may use it', 'POSTERN_REDIS_URL'));
      if (memory && !/^maxmemory_policy:noeviction\r?$/m.test(memory))
        results.push(warning('it may drop what it counts when it is full', 'maxmemory-policy noeviction'));
      return worst(results);
    } finally {
      connection.close();
    }
  },
};
