import {
  type Administrator,
  demandAdministrator,
  demandFreshAdministrator,
  type FreshAdministrator,
  type NoAdministrator,
} from '../flows/shared/administrator.ts';
import {
  demandFactorFreshness,
  demandFreshness,
  type FactorFreshSession,
  type FreshSession,
} from '../flows/shared/freshness.ts';
import type { ReauthenticationRequired, SignedIn, Unauthenticated } from '../flows/shared/outcomes.ts';
import type { Context } from './context.ts';

/** Hands the signed-in viewer to `work`; for anybody else the answer is Unauthenticated, with the reason. */
export function signedIn<R>({ caller }: Context, work: (viewer: SignedIn) => R): R | Unauthenticated {
  const { viewer } = caller;
  return viewer.kind === 'anonymous' ? { kind: 'Unauthenticated', reason: viewer.reason } : work(viewer);
}

/** Hands the viewer to `work` if they have just proven who they are; else says what they have to do first. */
export function freshlySignedIn<R>(
  context: Context,
  work: (viewer: FreshSession) => R,
): R | Unauthenticated | ReauthenticationRequired {
  return signedIn(context, (viewer) => {
    const fresh = demandFreshness(context.app, viewer);
    return fresh.kind === 'ReauthenticationRequired' ? fresh : work(fresh);
  });
}

/** Hands the viewer to `work` if they have just proven who they are, with a second factor if they have one. */
export function freshlySignedInByFactor<R>(
  context: Context,
  work: (viewer: FactorFreshSession) => R,
): R | Unauthenticated | ReauthenticationRequired {
  return signedIn(context, (viewer) => {
    const fresh = demandFactorFreshness(context.app, viewer);
    return fresh.kind === 'ReauthenticationRequired' ? fresh : work(fresh);
  });
}

/** Hands the viewer to `work` if they administrate, and so may look at others. */
export async function asAdministrator<R>(
  context: Context,
  work: (viewer: Administrator) => Promise<R>,
): Promise<R | Unauthenticated | NoAdministrator> {
  return signedIn(context, async (viewer) => {
    const known = await demandAdministrator(context.app, viewer);
    return known.kind === 'NotAdministrator' || known.kind === 'ReauthenticationRequired' ? known : work(known);
  });
}

/** Hands the viewer to `work` if they administrate, and have just proven who they are, so that they may change others. */
export async function asFreshAdministrator<R>(
  context: Context,
  work: (viewer: FreshAdministrator) => Promise<R>,
): Promise<R | Unauthenticated | NoAdministrator> {
  return signedIn(context, async (viewer) => {
    const known = await demandFreshAdministrator(context.app, viewer);
    return known.kind === 'NotAdministrator' || known.kind === 'ReauthenticationRequired' ? known : work(known);
  });
}
