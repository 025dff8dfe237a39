import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

// In the folder of the package, which is two up from src/infra as from dist/infra.
const LIST = new URL('../../data/common-passwords.txt.gz', import.meta.url);

let list: ReadonlySet<string> | undefined;

/**
 * Whether a password is one of the most common ones, in whatever letter case (NIST SP 800-63B-4 §3.1.1.2). The list
 * covers the 20,000 most common of at least 8 characters and the 3,000 most common of every greater length up to 15;
 * data/README.md tells where it comes from. It is read at the first question, in some milliseconds.
 */
export function isCommonPassword(password: string): boolean {
  list ??= new Set(gunzipSync(readFileSync(LIST)).toString('utf8').split('\n'));
  return list.has(password.normalize('NFC').toLowerCase());
}
