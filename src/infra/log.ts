import { type Logger, pino } from 'pino';

export type { Logger };

/** Keys whose values never reach a log, wherever a line nests them. A second line: nothing logs them in the first place. */
const SECRET_KEYS = [
  'password',
  'token',
  'accessToken',
  'refreshToken',
  'loginToken',
  'authorization',
  'cookie',
  'secret',
  'variables',
];

/** Lines are written together: a system call for each was an eighth of what a refused request costs. */
const BUFFERED_BYTES = 8 * 1024;
const FLUSH_EVERY_MS = 100;

/**
 * Makes the logger: JSON lines on stdout, or readable ones on a terminal.
 * @param destination where the JSON lines go instead
 */
export function createLogger(level: string, destination?: { write(line: string): void }): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '[secret]' },
    serializers: { err: describeError },
  };
  if (destination) return pino(options, destination);
  return process.stdout.isTTY
    ? pino({
        ...options,
        transport: { target: 'pino-pretty', options: { translateTime: 'HH:MM:ss.l', singleLine: true } },
      })
    : pino(
        options,
        pino.destination({ dest: 1, sync: false, minLength: BUFFERED_BYTES, periodicFlush: FLUSH_EVERY_MS }),
      );
}

// What is logged of an error: messages of the database may quote values (`detail`), so only what cannot is kept.
function describeError(error: Error & { code?: unknown }) {
  return { type: error.name, code: error.code, message: error.message.split('\n').at(-1), stack: framesOf(error) };
}

function framesOf(error: Error): string | undefined {
  return error.stack
    ?.split('\n')
    .filter((line) => line.startsWith('    at '))
    .slice(0, 8)
    .join('\n');
}
