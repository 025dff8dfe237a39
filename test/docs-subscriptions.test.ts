import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from './support/gateway.ts';
import { REVOKE_OTHER_SESSIONS } from './support/live.ts';
import { logIn, newPerson, signUp } from './support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ clock: 'real' });
});
afterAll(() => gateway.stop());

/** Runs a program in a process of its own, and reads what it shows. */
function run(program: string, env: Record<string, string>) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...process.env, ...env },
  });
  const shown: Record<string, unknown>[] = [];
  let text = '';
  child.stdout.on('data', (chunk) => {
    const lines = (text + chunk).split('\n');
    text = lines.pop() ?? '';
    shown.push(...lines.map((line) => JSON.parse(line)));
  });
  let faults = '';
  child.stderr.on('data', (chunk) => {
    faults += chunk;
  });
  return { shown, faults: () => faults, go: () => child.stdin.write('go'), stop: () => child.kill() };
}

test('the program of the page follows somebody, renews its token, and hears of the end', async () => {
  const page = readFileSync('docs/subscriptions.md', 'utf8');
  const [follow = '', renew = ''] = [...page.matchAll(/^ *```js\n([\s\S]*?)```/gm)].map(([, block = '']) => block);
  const person = newPerson();
  const held = await signUp(gateway.client(), person, 'JWT');
  // What the page takes for granted: a browser, a token that the app holds, and a way to show things.
  const before = `
    import WebSocket from 'ws';
    globalThis.WebSocket = WebSocket;
    let token = process.env.TOKEN;
    const show = (what) => console.log(JSON.stringify(what));
    const refreshed = async () => token;
    const canRefresh = () => false;
  `;
  const program = `${before}${follow}\nprocess.stdin.once('data', async () => {\n${renew}\n});`.replace(
    'ws://localhost:4000',
    gateway.url.replace('http', 'ws'),
  );
  const follower = run(program, { TOKEN: held.token });
  await expect.poll(() => gateway.app.live.feeds.userIds, { timeout: 10_000 }).toEqual([held.userId]);
  const other = await logIn(gateway.client(), person, 'SESSION_TOKEN');
  await expect
    .poll(() => follower.shown, { timeout: 10_000 })
    .toEqual([expect.objectContaining({ __typename: 'SessionStarted' })]);
  follower.go();
  await expect.poll(() => follower.shown.slice(1), { timeout: 10_000 }).toEqual([{ __typename: 'ConnectionRenewed' }]);
  await other.client.send(REVOKE_OTHER_SESSIONS);
  await expect
    .poll(() => follower.shown.slice(2), { timeout: 10_000 })
    .toEqual([
      expect.objectContaining({ __typename: 'SessionEnded', sessionId: held.sessionId, reason: 'REVOKED' }),
      'over',
    ]);
  expect(follower.faults()).toBe('');
  follower.stop();
}, 30_000);
