import fastify from 'fastify';
import { forFastify, identityOf } from '../../../src/verify/index.ts';
import { verifier } from './verifier.ts';

export const app = fastify();
app.addHook('onRequest', forFastify(verifier));
app.get('/', async (request) => identityOf(request));
app.get('/orders', { onRequest: forFastify(verifier, { require: true }) }, async (request) => identityOf(request));
