/**
 * A hook of the operator's did not decide: it threw, took too long, or gave nonsense. Nothing is done then. Clients get
 * `UNAVAILABLE`, the log the name of the hook.
 */
export class HookFailed extends Error {
  override readonly name = 'HookFailed';
  /** Of no error of the database: what an operator's code throws is never tried again as one of those. */
  readonly code = 'HOOK_FAILED';

  /** @param what it did, on one line and without secrets: this is logged */
  constructor(hook: string, what: string) {
    super(`the hook ${hook} ${what}`);
  }
}
