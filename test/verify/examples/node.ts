import { createServer } from 'node:http';
import { forNode } from '../../../src/verify/index.ts';
import { verifier } from './verifier.ts';

const identify = forNode(verifier);
const demand = forNode(verifier, { require: true });
export const server = createServer(async (request, response) => {
  const identity = await (request.url === '/' ? identify : demand)(request, response);
  if (identity) response.end(JSON.stringify(identity));
});
