import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EVENT_KINDS, type EventKind, particularsOf } from '../../src/events.ts';
import { isTold } from '../../src/records/session-events.ts';

const page = readFileSync('docs/events.md', 'utf8');
const table = /<!-- events -->\n(.*?)<!-- \/events -->/s.exec(page)?.[1] ?? '';
const rows = table
  .trim()
  .split('\n')
  .slice(2)
  .map((line) => {
    const [, event = '', , data = '', signals = '', shown = ''] = line.split('|').map((cell) => cell.trim());
    return { event: named(event)[0] as EventKind, data: named(data), signals: named(signals), shown };
  });

function named(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
}

/** All that django-allauth has, but `pre_social_login`, which decides: that is a hook. */
const SIGNALS = [
  ...['user_logged_in', 'user_signed_up', 'user_logged_out', 'password_set', 'password_changed', 'password_reset'],
  ...['email_confirmed', 'email_confirmation_sent', 'email_changed', 'email_added', 'email_removed'],
  ...['authentication_step_completed', 'login_code_rejected', 'password_reset_code_rejected'],
  ...['email_verification_code_rejected', 'authenticator_added', 'authenticator_removed', 'authenticator_reset'],
  ...['authenticator_used', 'authentication_failed', 'social_account_added', 'social_account_updated'],
  ...['social_account_removed', 'session_client_changed'],
];

test('the page has every event once, and none that there is not', () => {
  expect(rows.map(({ event }) => event).sort()).toEqual([...EVENT_KINDS].sort());
});

test.each(rows)('$event tells what the page says', ({ event, data, shown }) => {
  expect([...data].sort()).toEqual([...particularsOf(event)].sort());
  expect(shown.includes('live'), `${event} in sessionEvents`).toBe(isTold({ kind: event }));
});

test('every signal of allauth has an event, and the one that decides has a hook', () => {
  expect([...new Set(rows.flatMap(({ signals }) => signals))].sort()).toEqual([...SIGNALS].sort());
  expect(page).toContain('`pre_social_login`');
});
