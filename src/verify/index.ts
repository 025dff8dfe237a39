/**
 * For services that want to know who calls them: `postern/verify`. It loads nothing of the gateway.
 * @module
 */
export { VerifierUnavailable } from './fetch-json.ts';
export type { Identified, Identity, Unidentified, UnidentifiedReason } from './identity.ts';
export { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts';
