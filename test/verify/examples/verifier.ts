import { createVerifier } from '../../../src/verify/index.ts';

export const verifier = createVerifier({
  issuer: process.env.AUTH_URL ?? '',
  service: { id: 'orders', secret: process.env.AUTH_SECRET ?? '' },
});
