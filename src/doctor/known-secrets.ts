/** Secrets that everybody can read: those of examples and of the tests. */
export const KNOWN_SECRETS: ReadonlySet<string> = new Set([
  'k3TQ0nYw5m1zVb8uRf2sXc7dJh4gLp9aEi6o',
  'the secret of the tests is long enough to be one',
]);
