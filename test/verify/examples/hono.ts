import { Hono } from 'hono';
import { forHono, identityOf } from '../../../src/verify/index.ts';
import { verifier } from './verifier.ts';

export const app = new Hono();
app.use(forHono(verifier));
app.get('/', (context) => context.json(identityOf(context)));
app.get('/orders', forHono(verifier, { require: true }), (context) => context.json(identityOf(context)));
