import type { Db } from '../infra/database.ts';

/** A person as every door shows them. */
export interface User {
  readonly id: string;
  readonly createdAt: Date;
  readonly lastLoginAt: Date | null;
  readonly name: string | null;
  readonly username: string | null;
  readonly roles: readonly string[];
  /** The primary address. */
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly hasPassword: boolean;
  /** True with a factor that a login asks for; recovery codes alone are none. */
  readonly hasMfa: boolean;
}

/** Adds a person without any way to log in yet. */
export async function create(db: Db, user: { id: string; name: string | null; now: Date }): Promise<void> {
  await db.execute`INSERT INTO users (id, name, created_at) VALUES (${user.id}::uuid, ${user.name}, ${user.now})`;
}

/** Removes a person and everything that is theirs, but the events that tell of them. */
export async function remove(db: Db, id: string): Promise<void> {
  await db.execute`DELETE FROM users WHERE id = ${id}::uuid`;
}
