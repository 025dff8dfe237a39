import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';
import type { AuthenticationMethod, CredentialKind } from './sessions.ts';

/** Which way in a login came. */
export type LoginPurpose = 'SIGN_UP' | 'PASSWORD';

/** A login between the first proof and the session. */
export interface PendingLogin {
  readonly purpose: LoginPurpose;
  /** Null for a login that only looks like one. */
  readonly userId: string | null;
  readonly credential: CredentialKind;
  readonly methods: readonly AuthenticationMethod[];
  /** Names the password that the account had as the login began. */
  readonly passwordChangedAt: Date | null;
  readonly expiresAt: Date;
}

/** Keeps a login that still asks for something. */
export async function store(
  db: Db,
  login: PendingLogin & {
    tokenHash: Buffer<ArrayBuffer>;
    ipAddress: string | null;
    userAgent: string | null;
    now: Date;
  },
): Promise<void> {
  const { now, methods, ...rest } = login;
  await db.pendingLogin.create({ data: { id: randomUUID(), ...rest, methods: json(methods), createdAt: now } });
}

/** Finds a login that is neither over nor too old. */
export async function find(
  db: Db,
  tokenHash: Buffer<ArrayBuffer>,
  now: Date,
): Promise<(PendingLogin & { id: string }) | null> {
  const row = await db.pendingLogin.findFirst({ where: { tokenHash, completedAt: null, expiresAt: { gt: now } } });
  if (!row) return null;
  return {
    id: row.id,
    purpose: row.purpose as LoginPurpose,
    userId: row.userId,
    credential: row.credential,
    methods: row.methods as unknown as AuthenticationMethod[],
    passwordChangedAt: row.passwordChangedAt,
    expiresAt: row.expiresAt,
  };
}

/** Uses a login up. False if it was used, or is too old: of fifty at once, one gets true. */
export async function complete(db: Db, id: string, now: Date): Promise<boolean> {
  const { count } = await db.pendingLogin.updateMany({
    where: { id, completedAt: null, expiresAt: { gt: now } },
    data: { completedAt: now },
  });
  return count === 1;
}

// Prisma's JSON input type wants an index signature, which interfaces do not have.
function json(methods: readonly AuthenticationMethod[]) {
  return methods.map((method) => ({ ...method }));
}
