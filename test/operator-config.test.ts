import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { configure, loadOperatorConfig } from '../src/operator-config.ts';
import { type TemporaryFolder, temporaryFolder } from './support/process.ts';

const folders: TemporaryFolder[] = [];
let empty: string;
beforeAll(async () => {
  empty = await folderWith(null);
});
afterAll(async () => {
  for (const folder of folders) await folder.remove();
});

async function folderWith(program: string | null, name = 'postern.config.mjs'): Promise<string> {
  const folder = await temporaryFolder();
  folders.push(folder);
  if (program !== null) await writeFile(join(folder.path, name), program);
  return folder.path;
}

test('a folder without such a file has nothing to say', async () => {
  expect(await loadOperatorConfig(empty)).toEqual({});
});

test('the hooks of a file are taken as they are', async () => {
  const folder = await folderWith(
    'export default { hooks: { sendSms: async () => {}, mails: { LoginCode: () => 1 } } }',
  );
  const { hooks } = await loadOperatorConfig(folder);
  expect(hooks?.sendSms).toBeTypeOf('function');
  expect(hooks?.mails?.LoginCode).toBeTypeOf('function');
});

test('TypeScript is read on every Node', async () => {
  const program = `enum Answer { Yes = 'yes' }
    export default { hooks: { requiresMfa: (person: { email: string }): boolean => Answer.Yes === 'yes' } };`;
  const { hooks } = await loadOperatorConfig(await folderWith(program, 'postern.config.ts'));
  expect(await hooks?.requiresMfa?.({ userId: '', email: '', roles: [], fields: {} })).toBe(true);
});

test.each([
  ['export const hooks = {}', /no object as its default export/],
  ['export default null', /no object as its default export/],
  ['export default { hook: {} }', /hook is not known; there are hooks, providers/],
  ['export default { hooks: { sendSMS() {} } }', /hooks\.sendSMS is not known/],
  ['export default { hooks: { sendSms: true } }', /hooks\.sendSms is not a function/],
  [
    'export default { hooks: { mails: { Logincode() {} } } }',
    /hooks\.mails\.Logincode is not known; there are VerifyEmail/,
  ],
  ['export default { hooks: { texts: { LoginCode: "hello" } } }', /hooks\.texts\.LoginCode is not a function/],
  ['this is no program', /cannot be loaded/],
])('a file that says %s is refused with what is wrong', async (program, problem) => {
  const start = async () => configure({}, await loadOperatorConfig(await folderWith(program)));
  await expect(start).rejects.toThrow(problem);
});
