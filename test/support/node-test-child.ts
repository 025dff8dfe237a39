/** A test file of an app, for Node's own runner. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestGateway, type TestGateway } from '../../src/testing/index.ts';

// Not from the start: the loader of TypeScript keeps what it has read in the usual place.
process.env.TMPDIR = process.env.SERVER_FOLDER;

let gateway: TestGateway;

before(async () => {
  gateway = await startTestGateway();
});

after(() => gateway.stop());

test('somebody is known', async () => {
  const ada = await gateway.aPerson({ name: 'Ada' });
  const { client } = await gateway.logInAs(ada);
  const { result } = await client.send('{ currentUser { ... on User { name } } }');
  assert.equal(result.name, 'Ada');
});
