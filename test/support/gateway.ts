import { inject } from 'vitest';
import type { Environment } from '../../src/config.ts';
import { type OpenGateway, type OpenGatewayOptions, openGateway } from '../../src/testing/open-gateway.ts';
import { createDatabase } from './database.ts';
import { startRedis } from './redis.ts';

export { newAddress } from '../../src/testing/addresses.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where gateways count for the rate limits, unless a test says otherwise. */
    counters: 'postgres' | 'redis';
  }
}

/** A gateway on a database of its own, listening on a port of its own. */
export type Gateway = OpenGateway;

export type GatewayOptions = OpenGatewayOptions;

/** Addresses are not verified, unless a test says so; what the software authenticator of the tests says by itself. */
function defaults(env: Environment): Environment {
  const isElsewhere = env.POSTERN_PUBLIC_URL || env.POSTERN_FRONTEND_URL;
  return {
    POSTERN_EMAIL_VERIFICATION: 'none',
    ...(isElsewhere ? {} : { POSTERN_PASSKEY_ORIGINS: 'http://localhost:4000' }),
  };
}

/** Starts a gateway as `npm start` would, with cheap hashing and a clock that stands still. Stop it after the tests. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const database = await createDatabase(inject('templateUrl'));
  const redis = inject('counters') === 'redis' && !options.env?.POSTERN_REDIS_URL ? await startRedis() : null;
  const env = { ...(redis ? { POSTERN_REDIS_URL: redis.url } : {}), ...options.env };
  const cleanUp = async () => {
    await database.drop();
    await redis?.stop();
  };
  return openGateway(database.url, { ...options, env }, { defaults, cleanUp });
}
