/**
 * For services that want to know who calls them: `postern/verify`. It loads nothing of the gateway.
 * @module
 */
export { forApollo } from './adapters/apollo.ts';
export { forExpress } from './adapters/express.ts';
export { forFastify } from './adapters/fastify.ts';
export { type ConnectionOptions, forGraphqlWs } from './adapters/graphql-ws.ts';
export { forHono } from './adapters/hono.ts';
export { forNode } from './adapters/node.ts';
export { forYoga } from './adapters/yoga.ts';
export { VerifierUnavailable } from './fetch-json.ts';
export type { Identified, Identity, Unidentified, UnidentifiedReason } from './identity.ts';
export { type AdapterOptions, identityOf } from './request.ts';
export { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts';
