import express from 'express';
import { forExpress, identityOf } from '../../../src/verify/index.ts';
import { verifier } from './verifier.ts';

export const app = express();
app.use(forExpress(verifier));
app.get('/', (request, response) => void response.json(identityOf(request)));
app.get(
  '/orders',
  forExpress(verifier, { require: true }),
  (request, response) => void response.json(identityOf(request)),
);
