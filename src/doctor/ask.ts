import { boundedFetch } from '../infra/providers/bounded-fetch.ts';

const ANSWER_WITHIN_MS = 5_000;

/** Asks over HTTP, within bounds: a redirect and a fault of the server are no answers. */
export const ask = boundedFetch(() => AbortSignal.timeout(ANSWER_WITHIN_MS));
