import type { SignedIn, Unauthenticated } from '../flows/outcomes.ts';
import type { Context } from './context.ts';

/** Hands the signed-in viewer to `work`; for anybody else the answer is Unauthenticated, with the reason. */
export function signedIn<R>({ caller }: Context, work: (viewer: SignedIn) => R): R | Unauthenticated {
  const { viewer } = caller;
  return viewer.kind === 'anonymous' ? { kind: 'Unauthenticated', reason: viewer.reason } : work(viewer);
}
