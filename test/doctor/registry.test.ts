import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import type { Check } from '../../src/doctor/check.ts';
import { checks } from '../../src/doctor/checks.ts';
import { READY } from '../support/doctor.ts';

const names = Object.keys(checks);

test('every check has its cases in these tests, and every case a check', () => {
  const folder = 'test/doctor';
  const texts = readdirSync(folder).map((file) => readFileSync(`${folder}/${file}`, 'utf8'));
  const tested = texts.flatMap((text) => [...text.matchAll(/^check\('([a-z-]+)'/gm)].map(([, name]) => name));
  expect(tested.sort()).toEqual([...names].sort());
});

test('docs/production.md has a row for every check, with its title, and no other', () => {
  const page = readFileSync('docs/production.md', 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| ([^|]+) \| [^|]{20,} \| [^|]{5,} \|$/gm)];
  const titles = Object.entries<Check>(checks).map(([name, { title }]) => [name, title]);
  expect(rows.map(([, name, title]) => [name, title])).toEqual(titles);
});

test('a setting belongs to one check at most, so that what does not fit in it is told once', () => {
  const owned = Object.values<Check>(checks).flatMap(({ settings }) => (settings === 'others' ? [] : settings));
  expect(owned).toEqual([...new Set(owned)]);
  expect(Object.values<Check>(checks).filter(({ settings }) => settings === 'others')).toHaveLength(1);
});

test('what the tests take for a production is one', () => {
  expect(loadConfig(READY).production).toBe(true);
});
