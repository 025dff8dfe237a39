import { builder } from './builder.ts';

/** What the mutations take that answer a mail or a text message. */
export const DeliveredCodeInput = builder.inputType('DeliveredCode', {
  fields: (t) => ({
    handle: t.string({ required: true, description: 'The `handle` or `loginToken` that awaits the code.' }),
    code: t.string({ required: true }),
  }),
});

export const DeliveredProofInput = builder.inputType('DeliveredProof', {
  description:
    'Proof that a mail or message arrived: the token from its link, or its code with the handle the request returned.',
  isOneOf: true,
  fields: (t) => ({ token: t.string(), code: t.field({ type: DeliveredCodeInput }) }),
});
