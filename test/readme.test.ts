import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from './support/gateway.ts';

const readme = readFileSync('README.md', 'utf8');

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ clock: 'real' });
});
afterAll(() => gateway.stop());

test('the conversation of the README works as it stands, line by line', async () => {
  const conversation = readme.split('## A first conversation')[1]?.split('\n## ')[0] ?? '';
  const blocks = [...conversation.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block);
  expect(blocks).toHaveLength(3);
  const script = blocks.join('\necho\n').replaceAll('http://localhost:4000', gateway.url);
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script]);
  const [signedUp, asked] = stdout
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  expect(signedUp.data.signUp).toMatchObject({ __typename: 'LoggedIn', user: { email: 'ada@example.com' } });
  const shown = JSON.parse(/```json\n([\s\S]*?)```/.exec(conversation)?.[1] ?? '');
  expect({ ...asked.data.currentUser, id: '…' }).toEqual(shown.data.currentUser);
});

test('the README names every route that the gateway answers', async () => {
  for (const route of [
    '/.well-known/jwks.json',
    '/.well-known/openid-configuration',
    '/health/live',
    '/health/ready',
  ]) {
    expect(readme).toContain(`GET ${route}`.replace('GET /health/ready', '/health/ready'));
    expect((await fetch(gateway.url + route)).status).toBe(200);
  }
});
