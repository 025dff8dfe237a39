import { createHash } from 'node:crypto';
import { normalizePassword } from '../lib/password-policy.ts';

/** Looks a password up. `unknown` if the service does not answer, which must not keep anybody from signing up. */
export type BreachedPasswords = (password: string) => Promise<'breached' | 'clean' | 'unknown'>;

const TIMEOUT_MS = 2_000;
const MAX_RESPONSE_BYTES = 2 ** 20;
const LINE = /^([0-9A-F]{35}):(\d+)$/i;

/**
 * Asks a range service (the API of Pwned Passwords) whether a password is in a known breach. Only the first five
 * characters of its SHA-1 leave the machine, and the answer is padded, so that its size tells nothing either.
 * @param url where the five characters are appended; redirects are not followed
 */
export function createBreachedPasswords(options: { url: string; fetch?: typeof fetch }): BreachedPasswords {
  const { fetch: request = fetch } = options;
  const base = options.url.replace(/\/+$/, '');

  return async (password) => {
    const digest = createHash('sha1').update(normalizePassword(password)).digest('hex').toUpperCase();
    try {
      const response = await request(`${base}/${digest.slice(0, 5)}`, {
        headers: { 'Add-Padding': 'true', 'User-Agent': 'postern' },
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return judge(response.ok ? await readText(response) : '', digest.slice(5));
    } catch {
      return 'unknown';
    }
  };
}

function judge(text: string, suffix: string): 'breached' | 'clean' | 'unknown' {
  const lines = text
    .trim()
    .split(/\r?\n/)
    .map((line) => LINE.exec(line));
  if (lines.includes(null)) return 'unknown';
  // A line of padding has the count 0.
  const found = lines.some((line) => line?.[1]?.toUpperCase() === suffix && Number(line[2]) > 0);
  return found ? 'breached' : 'clean';
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_RESPONSE_BYTES) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
