import { unknownSettings } from '../../config.ts';
import { parseRate, type Rate } from '../../lib/rate.ts';
import { LIMITS, type RateLimits } from '../../lib/rate-limits.ts';
import { type Check, failed, ok, type Result, warning, worst } from '../check.ts';

export const settings: Check = {
  title: 'the settings fit, and every name of them is known',
  settings: 'others',
  run({ environment }) {
    const unknown = unknownSettings(environment);
    return unknown.length > 0
      ? warning(`${unknown.join(', ')}: not known, and without effect`, unknown.join(', '))
      : ok('all of them can be read, and none contradicts another');
  },
};

export const operatorConfig: Check = {
  title: 'what the operator says in code can be used',
  settings: [],
  run({ operatorProblem, hooks, config }) {
    if (operatorProblem !== null) return failed(operatorProblem, 'postern.config');
    if (!config.loginIdentifiers.includes('EMAIL') && !hooks.sendSms)
      return failed('people log in by phone, but no hook sends text messages', 'hooks.sendSms');
    return ok('postern.config, if there is one, fits the settings');
  },
};

export const production: Check = {
  title: 'the gateway knows that it is in production',
  settings: [],
  run: ({ environment: { NODE_ENV } }) =>
    NODE_ENV === 'production'
      ? ok('NODE_ENV is production: what is unfit for it does not start')
      : failed(
          `NODE_ENV is ${NODE_ENV || 'not set'}: the gateway starts with whatever is missing, and shows its schema and GraphiQL; all else here is judged as in production`,
          'NODE_ENV=production',
        ),
};

export const verification: Check = {
  title: 'an address is verified before anybody is let in by it',
  settings: ['POSTERN_EMAIL_VERIFICATION'],
  run({ config: { emailVerification } }) {
    if (emailVerification === 'MANDATORY') return ok('verification is mandatory');
    return emailVerification === 'OPTIONAL'
      ? warning('people get in before anybody knows that the address is theirs', 'POSTERN_EMAIL_VERIFICATION=mandatory')
      : failed('nobody ever learns whether an address is its owner’s', 'POSTERN_EMAIL_VERIFICATION=mandatory');
  },
};

/** How many times more than by default may be meant so. */
const LOOSE = 10;

export const limits: Check = {
  title: 'everything that can be guessed or flooded is counted',
  settings: ['POSTERN_RATE_LIMITS'],
  run({ config: { rateLimits } }) {
    const results = Object.keys(LIMITS).map((name) => judgeLimit(name as keyof RateLimits, rateLimits));
    return worst(results);
  },
};

function judgeLimit(name: keyof RateLimits, rateLimits: RateLimits): Result {
  const standard = parseRate(LIMITS[name].rate);
  const set = rateLimits[name];
  const all = ok('the limits are on, and none is far from its default');
  if (!standard) return all;
  if (!set) return failed(`${name} is off`, 'POSTERN_RATE_LIMITS');
  return speedOf(set) > LOOSE * speedOf(standard)
    ? warning(`${name} lets through more than ${LOOSE} times its default`, 'POSTERN_RATE_LIMITS')
    : all;
}

function speedOf({ points, windowMs }: Rate): number {
  return Number.isFinite(windowMs) ? points / windowMs : points;
}

/** NIST SP 800-63B-4 §3.1.1.2: where the password is all there is, and as part of more. */
const ALONE = 15;

export const passwordLength: Check = {
  title: 'a password that is all that is asked for is long',
  settings: ['POSTERN_PASSWORD_MIN_LENGTH'],
  run({ config: { password, mfa, loginCodeRequired } }) {
    if (password.minLength >= ALONE) return ok(`passwords have ${password.minLength} characters or more`);
    if (mfa.required === 'everyone' || loginCodeRequired) return ok('a password alone lets nobody in');
    return warning(
      `${password.minLength} characters are enough, and many people have nothing but the password; NIST SP 800-63B-4 asks for ${ALONE} there`,
      `POSTERN_PASSWORD_MIN_LENGTH=${ALONE}, or POSTERN_MFA_REQUIRED=everyone`,
    );
  },
};

const HOUR_MS = 3_600_000;

export const sessions: Check = {
  title: 'a session ends by itself within 30 days',
  settings: ['POSTERN_SESSION_LIFETIME', 'POSTERN_SESSION_IDLE'],
  run({ config: { session } }) {
    const isWithin = (lifetime: number, idle: number) => session.lifetime <= lifetime && session.idle <= idle;
    if (isWithin(24 * HOUR_MS, HOUR_MS)) return ok('within a day, and an hour without use, as AAL2 has it');
    if (isWithin(720 * HOUR_MS, 720 * HOUR_MS))
      return ok('within 30 days, as AAL1 has it (NIST SP 800-63B-4); AAL2 would be 24h, and 1h without use');
    return warning(
      'sessions last for longer than 30 days, which is what NIST SP 800-63B-4 has for the lowest level (AAL1)',
      'POSTERN_SESSION_LIFETIME=30d',
    );
  },
};

export const introspection: Check = {
  title: 'neither the schema nor GraphiQL is shown to strangers',
  settings: ['POSTERN_INTROSPECTION', 'POSTERN_GRAPHIQL'],
  run({ config }) {
    const shown = [
      ...(config.introspection ? [warning('anybody may read the schema', 'POSTERN_INTROSPECTION=off')] : []),
      ...(config.graphiql ? [warning('a browser gets GraphiQL', 'POSTERN_GRAPHIQL=off')] : []),
    ];
    return shown.length > 0 ? worst(shown) : ok('both are off');
  },
};

export const logLevel: Check = {
  title: 'the log says what an operator has to know, and no more',
  settings: ['POSTERN_LOG_LEVEL'],
  run({ config: { logLevel: level } }) {
    if (['debug', 'trace'].includes(level))
      return warning(`${level} is for looking for faults: it costs time and room`, 'POSTERN_LOG_LEVEL=info');
    if (['fatal', 'silent'].includes(level))
      return warning(`at ${level}, nobody hears of what fails`, 'POSTERN_LOG_LEVEL=info');
    return ok(`the level is ${level}`);
  },
};
