import { foreignParametersOf, verifyForeign } from '../argon2.js';

const PREFIX = 'argon2';
/** KiB times passes: some three seconds. */
const MAX_WORK = 2 ** 22;
const MAX_MEMORY_KIB = 2 ** 20;

/**
 * argon2 (RFC 9106) without a pepper of ours, as Django writes it: `argon2`, then the PHC format.
 * @param {string} text
 * @returns {import('../foreign-hash.js').ForeignHash | null}
 */
export function readArgon2(text) {
  if (!text.startsWith(`${PREFIX}$`)) return null;
  const hash = `$${text.slice(PREFIX.length + 1)}`;
  const cost = foreignParametersOf(hash);
  if (!cost) return null;
  const { memoryKiB, iterations } = cost;
  return {
    format: PREFIX,
    affordable: memoryKiB <= MAX_MEMORY_KIB && memoryKiB * iterations <= MAX_WORK,
    verify: (password) => verifyForeign(hash, password),
  };
}
