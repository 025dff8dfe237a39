import type { App } from '../app.ts';
import type { Email } from '../records/emails.ts';
import * as emails from '../records/emails.ts';
import type { Phone } from '../records/phones.ts';
import * as phones from '../records/phones.ts';
import type { User } from '../records/users.ts';

/** The addresses of a person, the primary one first, then the oldest. */
export function emailsOf(app: App, { id }: Pick<User, 'id'>): Promise<Email[]> {
  return emails.list(app.database, id);
}

/** The number of a person, if they have one. */
export function phoneOf(app: App, { id }: Pick<User, 'id'>): Promise<Phone | null> {
  return phones.find(app.database, id);
}
